package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// TempSuffix ends the names of files that are being written. What has it after a crash may be removed.
const TempSuffix = ".tmp"

// WriteFile gives the file name the content data, durably and whole: whoever opens it later, after a crash as well, finds either
// what was there before or all of data. It must not be called concurrently for one name.
func WriteFile(d Disk, name string, data []byte) error {
	temp := name + TempSuffix
	if err := removeIfThere(d, temp); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := writeTemp(d, temp, data); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), removeIfThere(d, temp))
	}
	if err := d.Rename(temp, name); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", name, err), removeIfThere(d, temp))
	}
	if err := d.SyncDir(); err != nil {
		return fmt.Errorf("write %s: %w", name, &SyncError{err})
	}
	return nil
}

func writeTemp(d Disk, temp string, data []byte) (err error) {
	f, err := d.Create(temp)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteAt(data, 0); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return &SyncError{err}
	}
	return nil
}

func removeIfThere(d Disk, name string) error {
	if err := d.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// A SyncError tells that it was a sync that failed, after which nothing about the file may be taken as durable.
type SyncError struct{ Err error }

func (e *SyncError) Error() string { return "sync: " + e.Err.Error() }

// Unwrap returns what the disk said.
func (e *SyncError) Unwrap() error { return e.Err }

// ReadFile returns the content of the file name, at most limit bytes; it is an error when there are more.
func ReadFile(d Disk, name string, limit int64) (data []byte, err error) {
	f, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, fmt.Errorf("read %s: it has %d bytes, more than %d", name, size, limit)
	}
	data = make([]byte, size)
	if err := ReadFull(f, data, 0); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// ReadFull fills p from offset off. Fewer bytes are io.ErrUnexpectedEOF.
func ReadFull(f io.ReaderAt, p []byte, off int64) error {
	n, err := f.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
