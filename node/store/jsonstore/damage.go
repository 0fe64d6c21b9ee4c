package jsonstore

import (
	"errors"
	"fmt"
	"io/fs"

	"ringkv/node/store/disk"
)

// A stretch is a part of a segment that can't be read.
type stretch struct{ from, to int64 }

// addStretch adds a part behind the others, joining it to the last one where they touch.
func addStretch(all []stretch, from, to int64) []stretch {
	if n := len(all); n > 0 && all[n-1].to == from {
		all[n-1].to = to
		return all
	}
	return append(all, stretch{from, to})
}

// quarantine copies what can't be read to files of its own, for people to look at, and says so. That it can't be
// copied is no reason not to open: the segment stays as it is.
func (s *Store) quarantine(seg *segment, bad []stretch) {
	for _, b := range bad {
		name := fmt.Sprintf("quarantine-%08d-%010d.bad", seg.number, b.from)
		err := s.copyOut(seg, b, name)
		s.log.Error("data is damaged on disk and was set aside; records it held are not served until the other owners have replaced them",
			"file", seg.name(), "offset", b.from, "bytes", b.to-b.from, "copy", name, "copied", err == nil, "key_unknown", seg.lost, "error", err)
	}
}

func (s *Store) copyOut(seg *segment, b stretch, name string) error {
	if b.from == b.to {
		return nil
	}
	switch f, err := s.disk.Open(name); {
	case err == nil:
		return f.Close() // an earlier start has copied it
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	data := make([]byte, b.to-b.from)
	if err := disk.ReadFull(seg.file, data, b.from); err != nil {
		return err
	}
	return disk.WriteFile(s.disk, name, data)
}
