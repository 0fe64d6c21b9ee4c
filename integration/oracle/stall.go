package oracle

import "time"

// A Stall is a time in which the machine did nothing for the clients: one that was due to run at From ran at To. It is nothing that
// the store does, and whatever the store answers waits as well. Times are those of the history.
type Stall struct{ From, To int64 }

// longStall is above which the operations that were under way tell nothing: time limits ran out, here and in the cluster, while nobody could
// do anything.
const longStall = int64(500 * time.Millisecond)

// Stalled returns how much of the time between from and to the machine stood still: in all, and the longest at a stretch.
func Stalled(stalls []Stall, from, to int64) (all, longest time.Duration) {
	for _, s := range stalls {
		d := max(0, time.Duration(min(s.To, to)-max(s.From, from)))
		all, longest = all+d, max(longest, d)
	}
	return all, longest
}

// excused reports whether o was under way in a long stall.
func (o Op) excused(stalls []Stall) bool {
	for _, s := range stalls {
		if s.To-s.From > longStall && o.Call < s.To && o.Return > s.From {
			return true
		}
	}
	return false
}
