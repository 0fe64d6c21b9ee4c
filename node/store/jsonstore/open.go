package jsonstore

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"ringkv/node/store/disk"
)

// madeFile is there once the store has had a segment: without it, a directory with no segments is a new store, and
// with it, one whose segments were taken away.
const madeFile = "store.json"

// Open opens the store that lies in d, or makes one where there is none. The caller keeps d, with its lock, until after Close. Errors:
// ErrForeign, ErrMissing, ErrNewer, or what the disk says.
func Open(d disk.Disk, options Options) (*Store, error) {
	s := &Store{disk: d, options: options.withDefaults(), segments: newSegments()}
	s.log = s.options.Log
	s.index = newIndex(s.segments.addLive)
	s.probe.disk = d
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store: %w", err), s.segments.close())
	}
	if !s.options.Manual {
		s.background.start(s)
	}
	return s, nil
}

func (s *Store) open() error {
	made, err := s.wasMade()
	if err != nil {
		return err
	}
	files, err := s.findSegments(made)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		err = s.makeFirst()
	} else {
		err = s.loadAll(files)
	}
	if err != nil || made {
		return err
	}
	// It must not come to the disk before the first segment's name: whoever made that may have been killed just then.
	if err := s.disk.SyncDir(); err != nil {
		return fmt.Errorf("sync the directory: %w", err)
	}
	return disk.WriteFile(s.disk, madeFile, []byte(fmt.Sprintf("{\"engine\":\"json\",\"format\":%d,\"disk\":%q}\n", format, s.options.Disk)))
}

func (s *Store) wasMade() (bool, error) {
	f, err := s.disk.Open(madeFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

func (s *Store) makeFirst() error {
	seg, err := s.createSegment(segmentName(1), 1, 1, false, s.MaxVersion())
	if err != nil {
		return err
	}
	s.segments.add(seg)
	s.segments.swap(nil, seg)
	s.active = seg
	return nil
}

// A file is a segment as it was found.
type file struct {
	*segment
	header header
	known  bool  // the header can be believed
	body   int64 // where the lines begin
	bytes  int64 // of the whole file
	sealed bool  // its last line says that a next one was there
}

// findSegments opens the segments that count, in order, and removes what a crash left beside them.
func (s *Store) findSegments(made bool) (files []*file, err error) {
	names, err := s.disk.List()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			for _, f := range files {
				err = errors.Join(err, f.file.Close())
			}
		}
	}()
	for _, name := range names {
		if number, ok := numberOf(name, "segment-", ".jsonl"); ok {
			f, err := s.inspect(number)
			if err != nil {
				return files, err
			}
			files = append(files, f)
		}
	}
	keep, drop, err := arrange(files, made)
	if err != nil {
		return files, err
	}
	if len(keep) == 0 && made {
		return files, fmt.Errorf("%w (there is no %s)", ErrMissing, segmentName(1))
	}
	return keep, s.sweep(names, keep, drop)
}

// arrange tells the segments that count from those that a crash left behind: a last one in which nothing was written
// yet, and those that a compacted one stands for.
func arrange(files []*file, made bool) (keep, drop []*file, err error) {
	if n := len(files); n > 0 && files[n-1].empty() {
		last := files[n-1]
		if n > 1 && !files[n-2].sealed || n == 1 && !last.known && !made {
			files, drop = files[:n-1], append(drop, last)
		} else if !last.known {
			return nil, nil, fmt.Errorf("%w (%s is empty)", ErrMissing, last.name())
		}
	}
	if n := len(files); n > 0 && files[n-1].sealed {
		return nil, nil, fmt.Errorf("%w (there is no %s)", ErrMissing, segmentName(files[n-1].number+1))
	}
	want := 0
	for i := len(files) - 1; i >= 0; i-- {
		f := files[i]
		if i < len(files)-1 && f.number > want {
			drop = append(drop, f)
			continue
		}
		if i < len(files)-1 && f.number < want {
			return nil, nil, fmt.Errorf("%w (there is no %s)", ErrMissing, segmentName(want))
		}
		if !f.known {
			f.from = 1
			if i > 0 {
				f.from = files[i-1].number + 1
			}
		}
		keep = append([]*file{f}, keep...)
		want = f.from - 1
	}
	if want > 0 {
		return nil, nil, fmt.Errorf("%w (there is no %s)", ErrMissing, segmentName(want))
	}
	return keep, drop, nil
}

// empty reports whether no line of the segment's body can be read.
func (f *file) empty() bool { return f.bytes <= f.body }

// sweep removes files that don't count any more. The names of those that do are made durable first.
func (s *Store) sweep(names []string, keep, drop []*file) error {
	var gone []string
	for _, f := range drop {
		if err := f.file.Close(); err != nil {
			return err
		}
		gone = append(gone, f.name())
	}
	kept := map[int]bool{}
	for _, f := range keep {
		kept[f.number] = true
	}
	for _, name := range names {
		number, isHint := numberOf(name, "hint-", ".bin")
		ours := strings.HasPrefix(name, "segment-") || strings.HasPrefix(name, "hint-")
		if isHint && !kept[number] || ours && strings.HasSuffix(name, disk.TempSuffix) {
			gone = append(gone, name)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	if err := s.disk.SyncDir(); err != nil {
		return fmt.Errorf("sync the directory: %w", err)
	}
	for _, name := range gone {
		if err := s.disk.Remove(name); err != nil {
			return fmt.Errorf("remove what was left behind: %w", err)
		}
	}
	s.options.At(PointRecoverSwept)
	return s.disk.SyncDir()
}
