package replica

import (
	"errors"

	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/wire"
)

// stored returns what the store has of key, with its value if whole is set; a record of the zero Version where it has none. Without
// the value, the disk is read only for the few records that are marked.
func (r *Replica) stored(key string, whole bool) (record.Record, error) {
	if !whole {
		switch h, ok := r.store.Head(key); {
		case h.Damaged:
			return record.Record{}, store.ErrCorrupt
		case !ok || !h.Marked:
			return record.Record{Key: key, Version: h.Version, Deleted: h.Deleted}, nil
		}
	}
	rec, _, err := r.store.Get(key)
	if err != nil {
		return record.Record{}, err
	}
	if rec.Key = key; !whole {
		rec.Value, rec.Type = nil, ""
	}
	return rec, nil
}

// isNone reports whether rec says nothing at all.
func isNone(rec record.Record) bool { return rec.Version.IsZero() && rec.Ballot.IsZero() }

// damaged refuses what touches something that can't be read: this replica can't know what it has acknowledged there.
var damaged = wire.Response{Status: wire.NotReady, Detail: "found its copy damaged and set it aside"}

// unreadable puts an error of reading the store into the protocol's words.
func unreadable(err error) wire.Response {
	if errors.Is(err, store.ErrCorrupt) {
		return damaged
	}
	return wire.Response{Status: wire.NotReady, Detail: "could not read its disk: " + err.Error()}
}
