package membership

import (
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
