package placement

import "fmt"

// take judges an answer that says something new, and publishes what follows from it.
func (w *Watcher) take(a Answer) {
	held := w.held()
	if !a.Found {
		if s := w.Snapshot(); s != nil && s.Stored {
			w.o.Log.Warn("the placement is gone from Consul; going on with the one remembered", "generation", held.Generation)
		}
		w.report(nil)
		w.publish(&Snapshot{Document: held})
		return
	}
	d, err := w.judge(a.Value, held)
	w.report(err)
	if err != nil {
		w.publish(&Snapshot{Document: held})
		return
	}
	if held != nil && d.Same(held) {
		d = held // whoever compares pointers sees no change
	}
	if d != held {
		w.unsaved = d
		w.save()
	}
	w.publish(&Snapshot{Document: d, Stored: true})
}

func (w *Watcher) held() *Document {
	if s := w.Snapshot(); s != nil {
		return s.Document
	}
	return nil
}

// judge reads value and says why it can't follow held.
//
// Another one of the same generation means that Consul lost what was held, and that those who wrote anew didn't know of it. What remembers placements is asked
// by the keeper, which goes above both. Nobody asks a program that doesn't, a gateway: it goes by what Consul holds, as everybody else does, or
// nodes would refuse it until the next generation.
func (w *Watcher) judge(value []byte, held *Document) (*Document, error) {
	d, err := Parse(value)
	if err != nil {
		return nil, err
	}
	if err := w.agree(d); err != nil {
		return nil, err
	}
	if held != nil && (d.Generation < held.Generation || w.o.Memory != nil && d.Generation == held.Generation && !d.Same(held)) {
		return nil, fmt.Errorf("the one there is another of generation %d, while generation %d was seen already: going on with that; the keeper writes it again",
			d.Generation, held.Generation)
	}
	return d, nil
}

// agree reports whether the program can serve d.
func (w *Watcher) agree(d *Document) error {
	if d.Replicas != w.o.Replicas {
		return fmt.Errorf("-replicas is %d here and %d in the placement: start this program with -replicas %d", w.o.Replicas, d.Replicas, d.Replicas)
	}
	return nil
}

// report keeps err for Err, and logs it once.
func (w *Watcher) report(err error) {
	before := w.Err()
	if err == nil {
		w.problem.Store(nil)
		return
	}
	w.metrics.refused.Inc()
	w.problem.Store(&err)
	if before == nil || before.Error() != err.Error() {
		w.o.Log.Error("the placement in Consul is not taken", "error", err)
	}
}

// save makes the latest document outlive the process; after an error it is tried again with each answer. The document is
// used meanwhile: refusing to would stop the node for a disk that serves reads.
func (w *Watcher) save() {
	if w.unsaved == nil || w.o.Memory == nil {
		return
	}
	if err := w.o.Memory.Save(w.unsaved); err != nil {
		w.metrics.unsaved.Inc()
		w.o.Log.Error("the placement could not be saved; trying again", "generation", w.unsaved.Generation, "error", err)
		return
	}
	w.unsaved = nil
}

// publish shows s if it says something new.
func (w *Watcher) publish(s *Snapshot) {
	old := w.latest.Load()
	if old != nil && *old == *s {
		return
	}
	w.latest.Store(s)
	if s.Document != nil && (old == nil || old.Document == nil) {
		close(w.ready)
	}
	w.wakes.Wake()
}
