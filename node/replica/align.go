package replica

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

const (
	alignPushes = 16      // records on their way to others at a time
	alignPages  = 1 << 15 // of a slot, far more than any has
)

// An alignment goes through what some owners of a slot hold, this node among them, page by page, and brings each of them to the newest
// record of each key. All of them have settled config. It may be abandoned and repeated at any time: nobody's record is ever
// replaced by an older one.
type alignment struct {
	r      *Replica
	slot   int
	config *placement.Config
	owners []string
	ask    wire.Request // for a page; After is set for each
}

// run goes through the whole slot. With an error, some owner may still lack some record.
func (a *alignment) run(ctx context.Context) error {
	for range alignPages {
		pages, err := a.pages(ctx)
		if err != nil {
			return err
		}
		end, more := endOf(pages)
		if err := a.level(ctx, differences(pages, end, more)); err != nil || !more {
			return err
		}
		a.ask.After = end
	}
	return fmt.Errorf("slot %d has no end", a.slot)
}

// pages gets each owner's page behind the keys that are done.
func (a *alignment) pages(ctx context.Context) (map[string]*wire.Pulled, error) {
	var mu sync.Mutex // guards pages
	pages := map[string]*wire.Pulled{}
	g, ctx := errgroup.WithContext(ctx)
	for _, identity := range a.owners {
		g.Go(func() error {
			req := a.ask
			resp, err := a.r.ask(ctx, identity, &req)
			if err == nil {
				err = a.check(resp.Pulled)
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			pages[identity] = resp.Pulled
			return nil
		})
	}
	return pages, g.Wait()
}

// check returns what is wrong with a page. Nothing that passes can do harm: records only ever win by their versions.
func (a *alignment) check(p *wire.Pulled) error {
	if p == nil || !standsIn(p, a.config) {
		return errors.New("an owner has not settled this generation of the slot, or has promised a later one")
	}
	last := a.ask.After
	for _, rec := range p.Records {
		if rec.Key <= last || hashring.SlotOf(rec.Key) != a.slot {
			return fmt.Errorf("%s sent a page of slot %d with a key that is out of order or of another slot", p.Node, a.slot)
		}
		last = rec.Key
	}
	if p.More && len(p.Records) == 0 {
		return fmt.Errorf("%s sent an empty page of slot %d, and says that there is more", p.Node, a.slot)
	}
	return nil
}

// endOf returns how far pages reach: to the shortest one's end.
func endOf(pages map[string]*wire.Pulled) (end string, more bool) {
	for _, p := range pages {
		if !p.More {
			continue
		}
		if last := p.Records[len(p.Records)-1].Key; !more || last < end {
			end, more = last, true
		}
	}
	return end, more
}

// A difference is one key that owners hold differently: the newest record, who holds it, and who doesn't.
type difference struct {
	newest record.Record // without its value
	holder string
	behind []string
}

// differences compares pages up to end. What an owner doesn't hold is deleted there as of its own floor, and of nobody else's. A
// key that is deleted for both, at versions that a floor covers, is no difference: one of them has only forgotten the tombstone earlier.
func differences(pages map[string]*wire.Pulled, end string, more bool) []difference {
	held := map[string]map[string]record.Record{} // by key and owner
	var floor record.Version                      // the highest
	for owner, p := range pages {
		if p.Floor.After(floor) {
			floor = p.Floor
		}
		for _, rec := range p.Records {
			if more && rec.Key > end {
				break
			}
			if held[rec.Key] == nil {
				held[rec.Key] = map[string]record.Record{}
			}
			held[rec.Key][owner] = rec
		}
	}
	owners := slices.Sorted(maps.Keys(pages))
	var differ []difference
	for _, key := range slices.Sorted(maps.Keys(held)) {
		d := difference{}
		of := func(owner string) record.Record {
			rec := held[key][owner]
			rec.Key = key
			rec, _ = seen(rec, pages[owner].Floor)
			return rec
		}
		for _, owner := range owners {
			if rec := of(owner); rec.Version.After(d.newest.Version) {
				d.newest, d.holder = rec, owner
			}
		}
		gone := d.newest.Deleted && !d.newest.Version.After(floor)
		for _, owner := range owners {
			if rec := of(owner); d.newest.Version.After(rec.Version) && !(gone && rec.Deleted) {
				d.behind = append(d.behind, owner)
			}
		}
		if len(d.behind) > 0 {
			differ = append(differ, d)
		}
	}
	return differ
}

// level brings the owners to the newest records: this node first, which then tells the others.
func (a *alignment) level(ctx context.Context, differ []difference) error {
	var fetch []fetching
	var tombstones []record.Record
	for _, d := range differ {
		switch {
		case !slices.Contains(d.behind, a.r.self):
		case d.newest.Deleted:
			tombstones = append(tombstones, a.tombstone(d.newest))
		default:
			fetch = append(fetch, fetching{d.newest.Key, d.holder})
		}
	}
	if len(tombstones) > 0 {
		if err := a.r.absorb(ctx, a.slot, a.config, record.Version{}, tombstones); err != nil {
			return err
		}
	}
	if err := a.r.bring(ctx, a.slot, a.config, fetch); err != nil {
		return err
	}
	a.r.opt.Metrics.repaired("fetched", len(tombstones)+len(fetch))
	return a.push(ctx, differ)
}

// tombstone is what others are told of a deletion: all but what its holder has prepared.
func (a *alignment) tombstone(rec record.Record) record.Record {
	rec.Ballot = record.Version{}
	return rec
}

// push sends others what they lack. This node holds it by now, or something newer.
func (a *alignment) push(ctx context.Context, differ []difference) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(alignPushes)
	for _, d := range differ {
		for _, owner := range d.behind {
			if owner == a.r.self {
				continue
			}
			g.Go(func() error { return a.pushOne(ctx, owner, d.newest) })
		}
	}
	return g.Wait()
}

func (a *alignment) pushOne(ctx context.Context, owner string, rec record.Record) error {
	if rec.Deleted {
		rec = a.tombstone(rec)
	} else {
		held, ok, err := a.r.store.Get(rec.Key)
		switch {
		case err != nil:
			return fmt.Errorf("read a record that another owner lacks: %w", err)
		case !ok: // deleted meanwhile, and collected: it must not come back
			return errors.New("a record that another owner lacks was deleted meanwhile")
		}
		rec = held
	}
	if err := a.r.throttle(ctx, []record.Record{rec}); err != nil {
		return err
	}
	_, err := a.r.ask(ctx, owner, &wire.Request{Op: wire.OpSync, Config: a.config, Key: rec.Key, Record: rec})
	if err == nil {
		a.r.opt.Metrics.repaired("pushed", 1)
	}
	return err
}
