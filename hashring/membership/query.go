package membership

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

var (
	// ErrForbidden is wrapped by a Query when the registry refuses its token.
	ErrForbidden = errors.New("the token may not read the service: it needs service:read and node:read")
	// ErrNoServer is wrapped by a Query when the agent answers that it can't reach a leader.
	ErrNoServer = errors.New("the agent has no server to ask")
	// ErrFiltered means that ACLs hid part of an answer, which makes it worthless as a list of who is there.
	ErrFiltered = errors.New("the token may not see all of the answer: it needs service:read and node:read")
)

// A Query asks the registry once. It returns when the answer is there, when req.Wait is over, or when ctx is done. It is
// called by one goroutine at a time. Answers are not changed after they were given.
type Query func(ctx context.Context, req Request) (*Answer, error)

// A Request is one question. The zero Request asks for those that pass, at once.
type Request struct {
	Index      uint64        // wait until the index is above this one; 0 answers at once
	Wait       time.Duration // longest wait for that
	All        bool          // also those that don't pass
	Consistent bool          // confirmed by a quorum of servers; only with Index 0
	Stale      bool          // any server may answer, also without a leader; only with Index 0
}

// An Answer is what the registry said.
type Answer struct {
	Index    uint64
	Filtered bool     // entries are missing because the token may not see them
	Entries  []Entry  // in any order
	Skipped  []string // a sentence for each entry that was left out since it makes no sense
}

// An Entry is one registration of a node.
type Entry struct {
	Member
	Created     uint64 // index at which it was registered; larger is newer
	Passing     bool   // all its checks pass
	Maintenance bool   // an operator took it out on purpose
}

// passing returns the members among the entries that pass, sorted, no id and no address twice, and a sentence for each
// entry that lost against another. The registration made last wins: the older one is a leftover.
func passing(entries []Entry) (members []Member, lost []string) {
	newest := make([]Entry, 0, len(entries))
	for _, e := range entries {
		if e.Passing {
			newest = append(newest, e)
		}
	}
	slices.SortFunc(newest, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Created, a.Created), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Addr, b.Addr))
	})
	byID, byAddr := map[string]Entry{}, map[string]Entry{}
	for _, e := range newest {
		if w, taken := byID[e.ID]; taken {
			lost = append(lost, fmt.Sprintf("node %s is registered at %s and, later, at %s: the later one is used; stop one of the two",
				e.ID, e.Addr, w.Addr))
			continue
		}
		if w, taken := byAddr[e.Addr]; taken {
			lost = append(lost, fmt.Sprintf("%s is registered by node %s and, later, by node %s: the later one is used; deregister the other",
				e.Addr, e.ID, w.ID))
			continue
		}
		byID[e.ID], byAddr[e.Addr] = e, e
		members = append(members, e.Member)
	}
	sortByID(members)
	return members, lost
}

// inMaintenance returns the ids that an operator has taken out.
func inMaintenance(entries []Entry) map[string]bool {
	ids := map[string]bool{}
	for _, e := range entries {
		if e.Maintenance {
			ids[e.ID] = true
		}
	}
	return ids
}
