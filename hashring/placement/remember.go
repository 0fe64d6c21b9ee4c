package placement

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A Memory outlives the process. A File is one.
type Memory interface {
	// Load returns the document last saved, nil if there never was one. An error means that it isn't known what was saved:
	// a node that can't tell must not say that it remembers nothing.
	Load() (*Document, error)
	// Save makes d durable in place of the one before. After an error the one before is still there.
	Save(d *Document) error
}

// A File remembers a document in a file. It takes one caller at a time.
type File struct {
	path string
	disk Disk
}

// NewFile returns the File at path, in a directory that exists. disk nil means the operating system's.
func NewFile(path string, disk Disk) *File {
	if disk == nil {
		disk = osDisk{}
	}
	return &File{path: path, disk: disk}
}

// Load reads the file.
func (f *File) Load() (*Document, error) {
	data, err := f.disk.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		var d *Document
		if d, err = Parse(data); err == nil {
			return d, nil
		}
	}
	return nil, fmt.Errorf("remembered placement: %w; if Consul's KV still holds the placement, delete %s and start again", err, f.path)
}

// Save writes d beside the file, syncs, and renames it over the file. The directory is synced last: without that, a power cut may
// bring back the document before.
func (f *File) Save(d *Document) error {
	data, err := d.Encode()
	if err != nil {
		return err
	}
	temp := f.path + ".tmp"
	if err := f.write(temp, data); err != nil {
		return fmt.Errorf("remember placement: %w", errors.Join(err, f.discard(temp)))
	}
	if err := f.disk.Rename(temp, f.path); err != nil {
		return fmt.Errorf("remember placement: %w", errors.Join(err, f.discard(temp)))
	}
	if err := f.disk.SyncDir(filepath.Dir(f.path)); err != nil {
		return fmt.Errorf("remember placement: %w", err)
	}
	return nil
}

func (f *File) write(name string, data []byte) error {
	w, err := f.disk.Create(name)
	if err != nil {
		return err
	}
	if _, err = w.Write(data); err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}

func (f *File) discard(name string) error {
	if err := f.disk.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// A Disk is what a File needs of a file system.
type Disk interface {
	ReadFile(name string) ([]byte, error) // wraps fs.ErrNotExist if there is none
	Create(name string) (SyncWriter, error)
	Rename(from, to string) error
	Remove(name string) error
	SyncDir(name string) error
}

// A SyncWriter is a file that is being written. Sync returns once what was written is durable.
type SyncWriter interface {
	io.WriteCloser
	Sync() error
}

type osDisk struct{}

func (osDisk) ReadFile(name string) ([]byte, error)   { return os.ReadFile(name) }
func (osDisk) Create(name string) (SyncWriter, error) { return os.Create(name) }
func (osDisk) Rename(from, to string) error           { return os.Rename(from, to) }
func (osDisk) Remove(name string) error               { return os.Remove(name) }

func (osDisk) SyncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
