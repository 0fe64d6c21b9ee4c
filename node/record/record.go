package record

// A Record is one key's newest value, or its deletion, as one replica holds it. It is never changed once made: a Record
// that has been handed on may be read by many goroutines, its Value included.
type Record struct {
	Key     string
	Version Version
	Deleted bool   // a tombstone: the key was deleted at Version
	Type    string // the Content-Type that came with the value, empty if none
	Value   []byte

	// Derived says that whoever stored it had looked at what was there before: a compare-and-set, or a ballot read that
	// stores again what it found. A plain PUT or DELETE is not derived.
	Derived bool
	// Origin is the version by which clients know the value, where a ballot read has stored it again under a later one;
	// zero where that is Version itself.
	Origin Version
	// Ballot is the highest version that this replica has prepared for the key; zero if none. It is the replica's own, and
	// no part of the value: a record of the zero Version may have one.
	Ballot Version
}

// Exists reports whether the record holds a value, as opposed to a deletion or nothing at all.
func (r Record) Exists() bool { return !r.Deleted && !r.Version.IsZero() }

// Known returns the version by which clients know the value: it stays, however often the value is stored again.
func (r Record) Known() Version {
	if r.Origin.IsZero() {
		return r.Version
	}
	return r.Origin
}

// Newer returns the newer of two records of one key, with the higher of their ballots. It is commutative, associative and
// idempotent, so that replicas that have seen the same records in any order hold the same one.
func Newer(a, b Record) Record {
	if b.Version.After(a.Version) {
		a, b = b, a
	}
	if b.Ballot.After(a.Ballot) {
		a.Ballot = b.Ballot
	}
	return a
}
