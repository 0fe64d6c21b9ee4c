package jsonstore

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"ringkv/node/store/disk"
)

// A segment is one file of lines.
type segment struct {
	id        uint32 // in this process, from 1, never reused
	number    int    // its place in the order of segments, and its name
	from      int    // it stands for the segments from..number
	ident     string // header.ID; empty when the header is damaged
	compacted bool
	file      disk.File
	size      atomic.Int64 // of what is good
	live      atomic.Int64 // bytes that the index points to
	lines     uint64       // guarded by who appends
	write     uint64       // the last write to it, likewise
	sealed    bool         // it is full, and the next one was begun
	hinted    int64        // the size at which its hint was written, 0 without one; guarded by maintenance
	stuck     atomic.Bool  // compacting it met damage
	damaged   bool         // scanning it found damage: it gets no hint, so that the damage is found again
	lost      bool         // likewise, and not known of what: it isn't compacted while a slot is in doubt
}

func segmentName(number int) string { return fmt.Sprintf("segment-%08d.jsonl", number) }
func hintName(number int) string    { return fmt.Sprintf("hint-%08d.bin", number) }

// numberOf returns the number in a name such as segment-00000012.jsonl.
func numberOf(name, prefix, suffix string) (int, bool) {
	digits, found := strings.CutPrefix(name, prefix)
	digits, ended := strings.CutSuffix(digits, suffix)
	n, err := strconv.Atoi(digits)
	return n, found && ended && len(digits) >= 8 && err == nil && n > 0
}

func (s *segment) name() string { return segmentName(s.number) }

// segments are the open segments. Readers don't wait for those who change the list.
type segments struct {
	mu    sync.Mutex                 // held by who changes the list
	byID  atomic.Pointer[[]*segment] // index is the id; nil where a segment is gone
	order atomic.Pointer[[]*segment] // by number
}

func newSegments() *segments {
	s := &segments{}
	s.byID.Store(&[]*segment{nil})
	s.order.Store(&[]*segment{})
	return s
}

// get returns the segment of that id, nil when it is gone.
func (s *segments) get(id uint32) *segment {
	all := *s.byID.Load()
	if int(id) >= len(all) {
		return nil
	}
	return all[id]
}

// list returns the segments in order.
func (s *segments) list() []*segment { return *s.order.Load() }

// add makes in readable, under an id of its own, without a place in the order yet.
func (s *segments) add(in *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byID := append(slices.Clone(*s.byID.Load()), in)
	in.id = uint32(len(byID) - 1)
	s.byID.Store(&byID)
}

// swap takes segments out of the list and gives one that was added its place in the order.
func (s *segments) swap(out []*segment, in *segment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byID := slices.Clone(*s.byID.Load())
	for _, o := range out {
		byID[o.id] = nil
	}
	order := slices.DeleteFunc(slices.Clone(*s.order.Load()), func(o *segment) bool { return slices.Contains(out, o) })
	order = append(order, in)
	slices.SortFunc(order, func(a, b *segment) int { return a.number - b.number })
	s.byID.Store(&byID)
	s.order.Store(&order)
}

// addLive is what an index reports to.
func (s *segments) addLive(id uint32, bytes int64) {
	if seg := s.get(id); seg != nil {
		seg.live.Add(bytes)
	}
}

func (s *segments) close() error {
	var errs []error
	for _, seg := range s.list() {
		errs = append(errs, seg.file.Close())
	}
	return errors.Join(errs...)
}
