package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

// ErrUnknown is wrapped by an Agent's methods when the agent has no such service or check.
var ErrUnknown = errors.New("the agent doesn't know it")

// An Agent is what a Registrar needs of its Consul agent. It is safe for concurrent use, and every call ends when its
// context does.
type Agent interface {
	// Register adds or replaces the service and its checks. Other checks of the service stay.
	Register(ctx context.Context, r *api.AgentServiceRegistration) error
	// Deregister takes the service out with all its checks.
	Deregister(ctx context.Context, serviceID string) error
	// Service returns the agent's definition and its hash. With a hash it waits until the definition has another, or wait is over.
	Service(ctx context.Context, serviceID, hash string, wait time.Duration) (*api.AgentService, string, error)
	// ServicesAt returns the ids of the instances of service at host and port.
	ServicesAt(ctx context.Context, service, host string, port int) ([]string, error)
	// Checks returns the ids of the checks that belong to the service.
	Checks(ctx context.Context, serviceID string) ([]string, error)
	// DeregisterCheck takes one check out.
	DeregisterCheck(ctx context.Context, checkID string) error
	// UpdateTTL sets status and output of a TTL check.
	UpdateTTL(ctx context.Context, checkID, status, output string) error
}

// NewAgent returns the agent that client talks to.
func NewAgent(client *api.Client) Agent { return consulAgent{client.Agent()} }

type consulAgent struct{ agent *api.Agent }

func (c consulAgent) Register(ctx context.Context, r *api.AgentServiceRegistration) error {
	return agentError(c.agent.ServiceRegisterOpts(r, api.ServiceRegisterOpts{}.WithContext(ctx)))
}

func (c consulAgent) Deregister(ctx context.Context, serviceID string) error {
	return agentError(c.agent.ServiceDeregisterOpts(serviceID, options(ctx)))
}

func (c consulAgent) Service(ctx context.Context, serviceID, hash string, wait time.Duration) (*api.AgentService, string, error) {
	q := &api.QueryOptions{WaitHash: hash}
	if hash != "" {
		q.WaitTime = wait
	}
	service, meta, err := c.agent.Service(serviceID, q.WithContext(ctx))
	if err != nil {
		return nil, "", agentError(err)
	}
	return service, meta.LastContentHash, nil
}

func (c consulAgent) ServicesAt(ctx context.Context, service, host string, port int) ([]string, error) {
	filter := fmt.Sprintf(`Service == "%s" and Address == "%s" and Port == %d`, service, host, port)
	services, err := c.agent.ServicesWithFilterOpts(filter, options(ctx))
	if err != nil {
		return nil, agentError(err)
	}
	var ids []string
	for id := range services {
		ids = append(ids, id)
	}
	return ids, nil
}

func (c consulAgent) Checks(ctx context.Context, serviceID string) ([]string, error) {
	checks, err := c.agent.ChecksWithFilterOpts(fmt.Sprintf(`ServiceID == "%s"`, serviceID), options(ctx))
	if err != nil {
		return nil, agentError(err)
	}
	var ids []string
	for id := range checks {
		ids = append(ids, id)
	}
	return ids, nil
}

func (c consulAgent) DeregisterCheck(ctx context.Context, checkID string) error {
	return agentError(c.agent.CheckDeregisterOpts(checkID, options(ctx)))
}

func (c consulAgent) UpdateTTL(ctx context.Context, checkID, status, output string) error {
	return agentError(c.agent.UpdateTTLOpts(checkID, output, status, options(ctx)))
}

func options(ctx context.Context) *api.QueryOptions {
	return new(api.QueryOptions).WithContext(ctx)
}

// agentError marks the answers that mean: not there. Consul says it with 404, and for a check of another kind in words.
func agentError(err error) error {
	var status api.StatusError
	if errors.As(err, &status) && (status.Code == http.StatusNotFound || strings.Contains(status.Body, "does not have associated TTL")) {
		return fmt.Errorf("%w (%w)", ErrUnknown, err)
	}
	return err
}
