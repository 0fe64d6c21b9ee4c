package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"ringkv/hashring/membership"
)

const (
	doubleAsk   = 2 * time.Second // for Consul's answer: a node starts without Consul as well
	doubleProbe = time.Second     // for the answer of a process that may be there
)

// refuseDouble returns an error if another process answers under this node's id: the newcomer would push it out of the ring, and
// its disk out of the placement. A registration where nobody answers, or somebody else does, is of an earlier run. It must be called
// before this process answers requests: an earlier run may have registered this very process's port under another name
// of the host. Without an answer from Consul it is not known, and no error.
func refuseDouble(ctx context.Context, id, advertise string, ask membership.Query, probe membership.Probe, log *slog.Logger) error {
	askCtx, cancel := context.WithTimeout(ctx, doubleAsk)
	defer cancel()
	answer, err := ask(askCtx, membership.Request{All: true})
	if err != nil {
		log.Warn("it isn't known whether another process has this node's id", "id", id, "error", err)
		return nil
	}
	for _, e := range answer.Entries {
		if e.ID != id || e.Addr == advertise {
			continue
		}
		probeCtx, cancel := context.WithTimeout(ctx, doubleProbe)
		err := probe(probeCtx, e.Member)
		cancel()
		if err == nil {
			return fmt.Errorf("another process serves as node %s at %s: stop that one first, or give this one an -id and a -data directory of its own (a copied directory holds the id of the first)",
				id, e.Addr)
		}
	}
	return nil
}
