package jsonstore

import (
	"testing"

	"ringkv/node/store"
	"ringkv/node/store/disk"
	"ringkv/node/store/disk/faulty"
	"ringkv/node/store/storetest"
)

// Segments are small, so that the questions cross many of them.
func opener(d disk.Disk, o Options) storetest.Opener {
	return func(t *testing.T) store.Store {
		s, err := Open(d, o)
		if err != nil {
			t.Fatalf("Open: %v", err)
		}
		return s
	}
}

func TestIsACorrectStoreInMemory(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Opener { return opener(faulty.New(), Options{SegmentBytes: 4 << 10}) })
}

func TestIsACorrectStoreOnDisk(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Opener {
		d, err := disk.OpenOS(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return opener(d, Options{})
	})
}
