package membership

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// errorKind names an error for the metric, and for saying each kind once.
func errorKind(err error) string {
	switch {
	case errors.Is(err, ErrForbidden):
		return "forbidden"
	case errors.Is(err, ErrFiltered):
		return "filtered"
	case errors.Is(err, ErrNoServer):
		return "no_server"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "unreachable"
}

// blind keeps what is known and makes the next question start afresh.
func (w *Watcher) blind(err error) {
	w.index, w.interrupted = 0, true
	size := 0
	if s := w.Snapshot(); s != nil {
		w.state.Store(int32(Blind))
		size = len(s.Members)
	}
	kind := errorKind(err)
	if kind == w.trouble {
		w.log.Debug("still no usable answer from Consul", "error", err)
		return
	}
	w.trouble = kind
	w.log.Warn("no usable answer from Consul; what is known stays, trying again", "error", err, "known", size)
}

func (w *Watcher) recovered() {
	w.retry.Reset()
	if w.trouble != "" {
		w.trouble = ""
		w.log.Info("Consul answers again")
	}
}

// report says once what is wrong with entries that were left out; the metric keeps showing how many there are.
func (w *Watcher) report(sentences []string) {
	w.metrics.skipped.Set(float64(len(sentences)))
	slices.Sort(sentences)
	const most = 5 // a line of the log is for reading
	text := strings.Join(sentences[:min(len(sentences), most)], "; ")
	if text != "" && text != w.skipped {
		w.log.Warn("registrations were left out", "count", len(sentences), "why", text)
	}
	w.skipped = text
}
