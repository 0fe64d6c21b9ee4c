package membership

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"ringkv/hashring/following"
)

// What became of a suspicion, as the metric's label.
const (
	outcomeApplied  = "applied"  // nobody of the missing answers: they are gone
	outcomeRestored = "restored" // Consul lists them again
	outcomeExpired  = "expired"  // they answer, but Consul didn't take them back in time
	outcomeKept     = "kept"     // nobody is left, so the last ring stays
)

// confirm settles what Consul means by listing fewer. It reads afresh, with a quorum of servers, all registrations.
// Of those missing it lets go of the ones in maintenance and of the ones that don't answer for themselves; the others
// stay while it asks Consul again every second, for as long as holdFor.
func (w *Watcher) confirm(ctx context.Context) error {
	w.state.Store(int32(Confirm))
	until := time.Now().Add(holdFor)
	held := false
	for {
		answer, err := w.ask(ctx, Request{All: true, Consistent: true})
		if err != nil {
			return err
		}
		w.touch()
		w.index, _ = following.Next(0, answer.Index)
		next, _ := passing(answer.Entries)
		absent := missing(w.Snapshot().Members, next)
		alive := serving(ctx, without(absent, inMaintenance(answer.Entries)), patient(w.probe), probeTimeout+probeAgain)
		if err := ctx.Err(); err != nil {
			return err // and not: nobody answered
		}
		if len(alive) == 0 || !time.Now().Before(until) {
			w.settle(next, answer.Index, absent, alive, held)
			return nil
		}
		if !held {
			held = true
			w.log.Warn("Consul lists nodes no more that answer: they stay until it has asked them again",
				"held", ids(alive), "for", holdFor)
		}
		w.replace(union(next, alive), answer.Index)
		following.Pause(ctx, holdReread)
	}
}

// settle ends a suspicion.
func (w *Watcher) settle(next []Member, index uint64, absent, alive []Member, held bool) {
	outcome := outcomeApplied
	switch {
	case len(next) == 0 && len(absent) > 0:
		w.metrics.confirms.WithLabelValues(outcomeKept).Inc()
		level := slog.LevelError
		if w.draining() { // as a whole cluster does that is stopped at once
			level = slog.LevelDebug
		}
		w.log.Log(context.Background(), level, "no node passes any more; the last ring stays, and requests to it fail until a node is back: "+
			"look at the nodes and their checks in Consul", "kept", ids(absent), "answering", ids(alive))
		return // still in doubt, so the state stays Confirm
	case len(alive) > 0:
		outcome = outcomeExpired
		w.log.Warn("nodes leave the ring that answer but don't pass in Consul: look at their checks there", "nodes", ids(alive))
	case len(absent) == 0 || held:
		outcome = outcomeRestored
	}
	w.metrics.confirms.WithLabelValues(outcome).Inc()
	w.show(next, index)
}

// without returns the members but for those given by id.
func without(members []Member, except map[string]bool) []Member {
	return slices.DeleteFunc(slices.Clone(members), func(m Member) bool { return except[m.ID] })
}

// union returns the members of both, whose ids are distinct, sorted.
func union(a, b []Member) []Member {
	all := slices.Concat(a, b)
	sortByID(all)
	return all
}
