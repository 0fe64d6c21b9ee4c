package oracle

import (
	"cmp"
	"slices"
)

// CheckVersions returns an error unless versions follow real time, key by key: an acknowledged write is newer than whatever
// was acknowledged or read before it began, a get is never older, and no version stands for two values. Operations
// without a version are passed over.
func CheckVersions(ops []Op) error {
	v := &Violation{Promise: "versions follow real time"}
	keys, split := byKey(ops)
	for _, key := range keys {
		var known []Op
		for _, op := range split[key] {
			if op.Outcome == OK && op.Version != "" {
				known = append(known, op)
			}
		}
		checkOrder(v, known)
		checkSame(v, known)
	}
	return v.err()
}

// CheckStored returns an error unless no node's record of a key ever went back to an older version. A sighting is a Get whose
// Client stands for the node that was looked at.
func CheckStored(sightings []Op) error {
	v := &Violation{Promise: "a node's stored version never goes back"}
	keys, split := byKey(sightings)
	for _, key := range keys {
		nodes := map[int][]Op{}
		for _, op := range split[key] {
			if op.Outcome == OK {
				nodes[op.Client] = append(nodes[op.Client], op)
			}
		}
		for _, its := range nodes {
			checkOrder(v, its)
		}
	}
	return v.err()
}

// checkOrder sweeps the operations of one key in the order of their calls, with the newest version among those that
// had returned by then.
func checkOrder(v *Violation, ops []Op) {
	calls, returns := slices.Clone(ops), slices.Clone(ops)
	slices.SortFunc(calls, func(a, b Op) int { return cmp.Compare(a.Call, b.Call) })
	slices.SortFunc(returns, func(a, b Op) int { return cmp.Compare(a.Return, b.Return) })
	var newest Op
	for _, op := range calls {
		for len(returns) > 0 && returns[0].Return < op.Call {
			if returns[0].Version > newest.Version {
				newest = returns[0]
			}
			returns = returns[1:]
		}
		if op.Version < newest.Version || op.Version == newest.Version && op.Kind != Get && op.Version != "" {
			v.add("not newer than what came before:\n%v\nthen %v", newest, op)
		}
	}
}

func checkSame(v *Violation, ops []Op) {
	seen := map[string]Op{}
	for _, op := range ops {
		other, known := seen[op.Version]
		if !known || op.Kind != Get {
			seen[op.Version] = op
		}
		if !known {
			continue
		}
		if contentOf(op) != contentOf(other) || op.Kind != Get && other.Kind != Get {
			v.add("one version, two writes:\n%v\n%v", other, op)
		}
	}
}

func contentOf(op Op) content {
	return content{op.puts() || op.Kind == Get && op.Found, op.Value}
}
