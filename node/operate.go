package main

import (
	"context"
	"log/slog"

	edge "ringkv/gateway/api"
	"ringkv/node/keeper"
)

// move is how far this node has come with the placement.
func (n *node) move() (any, bool) {
	p, ok := n.data.Progress()
	return keeper.Progress(p), ok
}

// leave takes this node out of the cluster for good, unless that can't be done now.
func (n *node) leave(ctx context.Context) (any, *edge.Problem) {
	if at := n.leaver.At(); at != nil {
		return at, nil
	}
	if n.cluster.keeper == nil {
		return nil, fixedList
	}
	err := n.cluster.keeper.MayLeave(ctx, n.kept.id, n.kept.diskID)
	if err == nil {
		err = n.leaver.Ask()
	}
	if err != nil {
		return nil, refused(err)
	}
	return n.leaver.At(), nil
}

// lose gives nodes up for good.
func (n *node) lose(ctx context.Context, nodes []string, write bool) (any, *edge.Problem) {
	if n.cluster.keeper == nil {
		return nil, fixedList
	}
	loss, err := n.cluster.keeper.Lose(ctx, nodes, write)
	if err != nil {
		return nil, refused(err)
	}
	return loss, nil
}

var fixedList = &edge.Problem{Outcome: edge.Conflict, Detail: "the nodes are a fixed list (-nodes), which never changes"}

// refused is what to answer to an operator. A change that Consul was asked to write may have been written.
func refused(err error) *edge.Problem {
	switch r := keeper.AsRefusal(err); {
	case r == nil:
		return &edge.Problem{Outcome: edge.NotReady, Detail: err.Error(), Unknown: true}
	case r.Later:
		return &edge.Problem{Outcome: edge.NotReady, Detail: r.Reason}
	default:
		return &edge.Problem{Outcome: edge.Conflict, Detail: r.Reason}
	}
}

const lostReason = "this node was given up for good, and what it holds may be outdated: stop it, remove its data directory and start it, and it joins as a new one"

// watchLost takes this node out of the ring when it learns that it was given up; changed wakes it.
func (n *node) watchLost(ctx context.Context, changed <-chan struct{}, log *slog.Logger) error {
	for !n.cluster.lost(n.kept) {
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
	log.Error("node leaves the ring", "reason", lostReason)
	n.cluster.fail(lostReason)
	return nil
}
