// Package disk is what the store asks of a file system: one flat directory of files. The real one is OS; the package
// faulty has one in memory that fails and loses power as a test wants.
package disk

import (
	"errors"
	"io"
)

// ErrLocked is returned by Lock while another process, or another part of this one, holds the lock.
var ErrLocked = errors.New("locked by another process")

// A Disk is one directory without subdirectories. Names have no slashes. All methods are safe for concurrent use. What
// Create, Rename and Remove did survives a power cut only once SyncDir has returned nil.
type Disk interface {
	// Create makes a new empty file. It is an error (fs.ErrExist) when there is one of that name.
	Create(name string) (File, error)
	// Open opens a file that is there, for reading and writing; fs.ErrNotExist when it isn't.
	Open(name string) (File, error)
	// Rename gives a file a new name, replacing what had it.
	Rename(from, to string) error
	// Remove takes a file away; fs.ErrNotExist when it isn't there. A file that is open stays readable.
	Remove(name string) error
	// List returns the names of all files in order.
	List() ([]string, error)
	// SyncDir makes names durable.
	SyncDir() error
	// Lock takes the lock of that name, without waiting, until the Closer is closed. ErrLocked when it is held already.
	// The lock of a process that died is free.
	Lock(name string) (io.Closer, error)
}

// A File is open for reading and writing. ReadAt and WriteAt may be called concurrently. A Close lets those under
// way finish; afterwards every method returns an error that is fs.ErrClosed.
type File interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	// Size returns the length in bytes.
	Size() (int64, error)
	// Truncate cuts or extends the file to size bytes.
	Truncate(size int64) error
	// Sync makes the file's bytes and length durable. After an error it must not be called again on this file: the kernel may have
	// dropped what it couldn't write and report success the next time (Rebello et al., "Can Applications Recover from fsync Failures?", 2020).
	Sync() error
}
