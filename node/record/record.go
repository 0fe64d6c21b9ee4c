package record

// A Record is one key's newest value, or its deletion, as one replica holds it. It is never changed once made: a Record
// that has been handed on may be read by many goroutines, its Value included.
type Record struct {
	Key     string
	Version Version
	Deleted bool   // a tombstone: the key was deleted at Version
	Type    string // the Content-Type that came with the value, empty if none
	Value   []byte
}

// Exists reports whether the record holds a value, as opposed to a deletion or nothing at all.
func (r Record) Exists() bool { return !r.Deleted && !r.Version.IsZero() }

// Newer returns the newer of two records of one key. It is commutative, associative and idempotent, so that replicas
// that have seen the same records in any order hold the same one.
func Newer(a, b Record) Record {
	if b.Version.After(a.Version) {
		return b
	}
	return a
}
