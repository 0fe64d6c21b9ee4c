package membership

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"

	"ringkv/hashring"
)

// A Member is a node that is passing its checks, as it registered itself.
type Member struct {
	hashring.Member
	Addr     string // host:port that gateways and peers dial
	Disk     string // identity of its data directory, empty where it is not known
	Replicas int    // copies of each key it was started with, 0 where it is not known
}

// A Snapshot is who was passing at one moment. It is immutable.
type Snapshot struct {
	Members []Member  // sorted by ID, IDs distinct
	Index   uint64    // Consul's index of the answer it came from; a hint, not a version
	Changed time.Time // when this set of members was first seen
}

// Hash is a digest of the members: two processes that show the same one have the same ring.
func (s *Snapshot) Hash() uint64 {
	h := fnv.New64a()
	text := func(v string) { // with its length, so that "ab","c" differs from "a","bc"
		h.Write(binary.AppendUvarint(nil, uint64(len(v))))
		h.Write([]byte(v))
	}
	for _, m := range s.Members {
		text(m.ID)
		text(m.Addr)
		text(m.Zone)
		text(m.Disk)
		h.Write(binary.AppendVarint(nil, int64(m.Weight)))
		h.Write(binary.AppendVarint(nil, int64(m.Replicas)))
	}
	return h.Sum64()
}

// missing returns those of have whose id is not in next.
func missing(have, next []Member) []Member {
	var gone []Member
	for _, m := range have {
		if !contains(next, m.ID) {
			gone = append(gone, m)
		}
	}
	return gone
}

// contains reports whether sorted members have the id.
func contains(members []Member, id string) bool {
	_, ok := find(members, id)
	return ok
}

func find(members []Member, id string) (int, bool) {
	return slices.BinarySearchFunc(members, id, func(m Member, id string) int { return cmp.Compare(m.ID, id) })
}

func sortByID(members []Member) {
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
}
