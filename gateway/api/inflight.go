package api

import "sync/atomic"

// inflight counts the bytes of the values that requests hold in memory, and lets no more in than there is room for.
type inflight struct {
	limit int64
	used  atomic.Int64
}

// take makes room for n bytes, and reports false at once where there is none. What was taken is given back with give.
func (f *inflight) take(n int64) bool {
	if f.used.Add(n) > f.limit {
		f.used.Add(-n)
		return false
	}
	return true
}

func (f *inflight) give(n int64) { f.used.Add(-n) }
