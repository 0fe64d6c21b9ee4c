package main

import (
	"context"

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
