package keeper

import "context"

// A Lock lets one node at a time work. It keeps proposals few and is not relied upon: two may hold it for a while.
type Lock interface {
	// Hold waits for the lock, calls work with a context that ends when the lock may be lost, and gives the lock back when
	// work has returned. It may return nil without having called work, and no faster than about once a second then. An error means
	// that Consul could not be asked.
	Hold(ctx context.Context, work func(ctx context.Context)) error
}

// A Key is the key in Consul's KV that holds the placement.
type Key interface {
	// Get returns the value as confirmed by a quorum of servers and the index at which it was written; both are zero if
	// the key does not exist.
	Get(ctx context.Context) (value []byte, modified uint64, err error)
	// CompareAndSet writes value if the key was last written at modified, or does not exist and modified is 0, and
	// reports whether it did. After an error it may have been written.
	CompareAndSet(ctx context.Context, value []byte, modified uint64) (bool, error)
}
