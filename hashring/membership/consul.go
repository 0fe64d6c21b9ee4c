package membership

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/consul/api"
)

// NewConsulQuery returns a Query for the instances of a service in Consul's catalog, as nodes register themselves: Meta
// holds node_id, disk, replicas and zone, the passing weight is the share of the ring.
// The query is /v1/health/service/:service (https://developer.hashicorp.com/consul/api-docs/health).
func NewConsulQuery(client *api.Client, service string) Query {
	return func(ctx context.Context, req Request) (*Answer, error) {
		opts := &api.QueryOptions{
			WaitIndex:         req.Index,
			WaitTime:          req.Wait,
			RequireConsistent: req.Consistent,
			AllowStale:        req.Stale,
		}
		entries, meta, err := client.Health().Service(service, "", !req.All, opts.WithContext(ctx))
		if err != nil {
			return nil, consulError(service, err)
		}
		answer := &Answer{Index: meta.LastIndex, Filtered: meta.ResultsFilteredByACLs}
		for _, e := range entries {
			entry, err := parseEntry(e)
			if err != nil {
				answer.Skipped = append(answer.Skipped, err.Error())
				continue
			}
			answer.Entries = append(answer.Entries, entry)
		}
		return answer, nil
	}
}

// consulError tells the kinds apart that are handled differently.
func consulError(service string, err error) error {
	var status api.StatusError
	if errors.As(err, &status) {
		switch {
		case status.Code == http.StatusForbidden:
			err = fmt.Errorf("%w (%w)", ErrForbidden, err)
		case status.Code >= 500:
			err = fmt.Errorf("%w (%w)", ErrNoServer, err)
		}
	}
	return fmt.Errorf("ask Consul who passes in service %s: %w", service, err)
}

func parseEntry(e *api.ServiceEntry) (Entry, error) {
	if e.Service == nil {
		return Entry{}, errors.New("an entry without a service was skipped")
	}
	m, err := parseMember(e)
	if err != nil {
		return Entry{}, fmt.Errorf("instance %s was skipped: %w; deregister it, or register it with kvnode", e.Service.ID, err)
	}
	status := e.Checks.AggregatedStatus()
	return Entry{
		Member:      m,
		Created:     e.Service.CreateIndex,
		Passing:     status == api.HealthPassing,
		Maintenance: status == api.HealthMaint,
	}, nil
}

func parseMember(e *api.ServiceEntry) (Member, error) {
	var m Member
	m.ID = e.Service.Meta["node_id"]
	if err := checkID(m.ID); err != nil {
		return m, err
	}
	host := e.Service.Address
	if host == "" && e.Node != nil {
		host = e.Node.Address // Consul leaves it to the client to fall back
	}
	if host == "" || e.Service.Port < 1 || e.Service.Port > 65535 {
		return m, fmt.Errorf("address %q and port %d can't be dialled", host, e.Service.Port)
	}
	m.Addr = net.JoinHostPort(host, strconv.Itoa(e.Service.Port))
	if text, ok := e.Service.Meta["replicas"]; ok {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return m, fmt.Errorf("its meta replicas is %q and not a count", text)
		}
		m.Replicas = n
	}
	m.Weight = cmp.Or(max(e.Service.Weights.Passing, 0), 1)
	m.Zone = e.Service.Meta["zone"]
	m.Disk = e.Service.Meta["disk"]
	return m, nil
}

// checkID keeps out what would garble logs and tables.
func checkID(id string) error {
	if id == "" {
		return errors.New("its meta node_id is missing")
	}
	if !utf8.ValidString(id) {
		return errors.New("its meta node_id is not UTF-8")
	}
	for _, r := range id {
		if !unicode.IsGraphic(r) || unicode.IsSpace(r) {
			return fmt.Errorf("its meta node_id %q has a character that can't be shown", id)
		}
	}
	return nil
}
