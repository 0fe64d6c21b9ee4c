package oracle

import (
	"cmp"
	"slices"
)

// CheckRegister returns an error unless each key behaved like a register: as if each operation had happened at one instant
// between its call and its return. It is the zone test of Gibbons and Korach ("Testing Shared Memories", SIAM J. Comput.
// 26(4), 1997), in the time of a sort. It's exact for keys without deletes. With deletes, which all write the same
// absence, everything it rejects is wrong, and a few things that it accepts may be: CheckLinear decides those.
func CheckRegister(ops []Op) error {
	v := &Violation{Promise: "each key is one register"}
	keys, split := byKey(ops)
	for _, key := range keys {
		checkKey(v, split[key])
	}
	return v.err()
}

func checkKey(v *Violation, ops []Op) {
	values := clustersOf(v, ops)
	forward, instants := zonesOf(values, ops)
	slices.SortFunc(forward, func(a, b zone) int { return cmp.Compare(a.from, b.from) })
	for i := 1; i < len(forward); i++ {
		if a, b := forward[i-1], forward[i]; b.from < a.to {
			v.add("two values were the newest at the same time:\n%v\nread by %v\n%v\nread by %v", a.write, a.last, b.write, b.last)
			return // zones that overlap make the search below meaningless
		}
	}
	for _, in := range instants {
		i, _ := slices.BinarySearchFunc(forward, in.from, func(z zone, at int64) int { return cmp.Compare(z.from, at) })
		if i > 0 && in.to < forward[i-1].to {
			v.add("an old value came back:\n%v\nthen %v\nthen %v", forward[i-1].write, in.write, forward[i-1].last)
		}
	}
	checkAbsent(v, values, ops)
}

// A cluster is a put and the gets that returned its value.
type cluster struct {
	write       Op
	firstReturn int64 // by then, the put had happened
	last        Op    // the one of them that began last: until then, nothing had replaced it
	read        bool
}

func clustersOf(v *Violation, ops []Op) map[string]*cluster {
	values := map[string]*cluster{}
	for _, op := range ops {
		if !op.puts() {
			continue
		}
		if other := values[op.Value]; other != nil {
			v.add("the history can't be judged, two puts wrote the same value:\n%v\n%v", other.write, op)
			continue
		}
		values[op.Value] = &cluster{write: op, firstReturn: op.settled(), last: op}
	}
	for _, op := range ops {
		if op.Kind != Get || op.Outcome != OK || !op.Found {
			continue
		}
		c := values[op.Value]
		switch {
		case c == nil:
			v.add("nobody wrote what was read: %v", op)
		case !c.write.writes():
			v.add("a put that was said to have failed was read:\n%v\n%v", c.write, op)
		case op.Return < c.write.Call:
			v.add("a value was read before it was written:\n%v\n%v", op, c.write)
		default:
			c.join(op)
		}
	}
	return values
}

func (c *cluster) join(get Op) {
	c.read = true
	c.firstReturn = min(c.firstReturn, get.Return)
	if get.Call > c.last.Call {
		c.last = get
	}
}

// A zone is a stretch of time. A forward zone is one in which its value was the newest throughout. The other kind is one in
// which something happened, at an instant that isn't known.
type zone struct {
	from, to    int64
	write, last Op
}

func zonesOf(values map[string]*cluster, ops []Op) (forward, instants []zone) {
	for _, c := range values {
		switch {
		case !c.write.writes() || c.write.Outcome == Unknown && !c.read:
			// It may never have happened, and nobody saw it.
		case c.firstReturn < c.last.Call:
			forward = append(forward, zone{c.firstReturn, c.last.Call, c.write, c.last})
		default:
			instants = append(instants, zone{c.last.Call, c.firstReturn, c.write, c.last})
		}
	}
	for _, op := range ops {
		if op.Outcome == OK && (op.Kind == Delete || op.Kind == Get && !op.Found) {
			instants = append(instants, zone{op.Call, op.Return, op, op})
		}
	}
	slices.SortFunc(instants, func(a, b zone) int { return cmp.Compare(a.from, b.from) })
	return forward, instants
}
