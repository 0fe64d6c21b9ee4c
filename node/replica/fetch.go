package replica

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// Moving data yields to requests: after each page it rests for several times as long as the page took, here, on the way and at those who were asked. So
// it slows down by itself where any of them is busy, and takes a small part of a node that is idle.
// What bytes of large values take is not rested for, up to restFree: -move-rate is there to bound that.
const (
	restFactor = 3
	restMost   = 250 * time.Millisecond // so that one long wait isn't followed by a longer one
	restFree   = 20 << 20               // bytes a second, as -move-rate is unless it's set; of each value, what is above
	smallValue = 4 << 10
)

// settleValues are fetched and stored at a time for one slot. More of them share a sync and a request, and hold up a write that comes behind them for longer.
const settleValues = wire.MaxPage / 2

// A fetching is a key and who holds its newest record.
type fetching struct{ key, identity string }

// bring fetches records and makes them this node's own, some at a time. What has come is kept, whatever becomes of the rest.
func (r *Replica) bring(ctx context.Context, slot int, config *placement.Config, fetch []fetching) error {
	for len(fetch) > 0 {
		began := time.Now()
		recs, err := r.fetch(ctx, slot, config, fetch[:min(len(fetch), settleValues)])
		if len(recs) == 0 {
			return err
		}
		if err := r.absorb(ctx, slot, config, record.Version{}, recs); err != nil {
			return err
		}
		came := make(map[string]bool, len(recs))
		for _, rec := range recs {
			came[rec.Key] = true
		}
		fetch = slices.DeleteFunc(fetch, func(f fetching) bool { return came[f.key] })
		if err := r.rest(ctx, time.Since(began)-free(recs)); err != nil {
			return err
		}
		if err := r.throttle(ctx, recs); err != nil {
			return err
		}
	}
	return nil
}

// fetch gets the whole records of one batch, as many as each of those who hold them has room for in one answer. It returns those that came, and, if none did, why.
func (r *Replica) fetch(ctx context.Context, slot int, config *placement.Config, batch []fetching) (recs []record.Record, err error) {
	ctx, cancel := context.WithTimeout(ctx, windowTime)
	defer cancel()
	deadline, _ := ctx.Deadline()
	wanted := map[string][]string{} // identity -> keys
	for _, f := range batch {
		wanted[f.identity] = append(wanted[f.identity], f.key)
	}
	err = fmt.Errorf("none of the owners of slot %d holds what it held", slot)
	replies := make(chan wire.Reply, len(wanted))
	asked := map[string]string{} // node id -> identity
	for _, identity := range slices.Sorted(maps.Keys(wanted)) {
		owner := r.locate(identity)
		if _, twice := asked[owner.ID]; twice {
			continue // another disk of the same node: whichever it has, the other is asked for in vain
		}
		if !owner.Passing {
			err = fmt.Errorf("%s is not passing its check", owner.ID)
			continue
		}
		asked[owner.ID] = identity
		slices.Sort(wanted[identity])
		req := &wire.Request{Op: wire.OpFetch, Config: config, Slot: slot, Keys: wanted[identity]}
		r.opt.Peers.Send(owner.ID, owner.Addr, req, deadline, replies)
	}
	for range asked {
		select {
		case reply := <-replies:
			identity := asked[reply.Node]
			came, why := fetched(reply, identity, wanted[identity])
			if why != nil {
				err = why
			}
			recs = append(recs, came...)
		case <-ctx.Done():
			return recs, ctx.Err()
		}
	}
	return recs, err
}

// fetched returns what came of keys, which the node of that identity was asked for, and what is wrong with the answer.
func fetched(reply wire.Reply, identity string, keys []string) ([]record.Record, error) {
	p := reply.Response.Pulled
	switch {
	case reply.Err != nil:
		return nil, reply.Err
	case reply.Response.Status != wire.OK || p == nil:
		return nil, fmt.Errorf("%s %s", reply.Node, reply.Response.Detail)
	case p.Node != identity || len(p.Records) == 0:
		return nil, fmt.Errorf("%s no longer holds what it held: its disk is another", reply.Node)
	}
	for _, rec := range p.Records {
		if _, found := slices.BinarySearch(keys, rec.Key); !found {
			return nil, fmt.Errorf("%s answered with a key that it wasn't asked for", reply.Node)
		}
	}
	return p.Records, nil
}

// free is how long a page of recs may take without a rest.
func free(recs []record.Record) time.Duration {
	size := 0
	for i := range recs {
		size += max(0, len(recs[i].Value)-smallValue)
	}
	return time.Duration(size) * time.Second / restFree
}

// rest waits after a page that took so long, or that much longer than it may.
func (r *Replica) rest(ctx context.Context, worked time.Duration) error {
	if worked <= 0 {
		return nil
	}
	timer := time.NewTimer(min(restFactor*worked, restMost))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// throttle keeps moving data within the rate that was given for it.
func (r *Replica) throttle(ctx context.Context, recs []record.Record) error {
	for _, rec := range recs {
		if r.limit == nil {
			return nil
		}
		if err := r.limit.WaitN(ctx, min(len(rec.Value)+len(rec.Key), r.limit.Burst())); err != nil {
			return err
		}
	}
	return nil
}
