package jsonstore

import (
	"runtime"
	"testing"

	"ringkv/node/store"
)

// TestMemoryForEachKey: a key of 20 bytes takes at most 85 of the heap, whatever its value. The heap may grow to twice what lives in it, and a node is to stay within
// 160 for each key besides the 64 MiB that it may take for all else, of which it takes half.
func TestMemoryForEachKey(t *testing.T) {
	s, _ := benchStore(t, Options{})
	before := heap()
	const keys, batch, most = 300_000, 1000, 85
	for from := 0; from < keys; from += batch {
		records := benchRecords(from, batch)
		for i := range records {
			records[i].Value = nil // so that all fit one segment: ending one takes memory for a while
		}
		if err := s.Apply(store.Batch{Records: records}); err != nil {
			t.Fatal(err)
		}
		n := from + batch
		if n != keys && n != keys*2/3 { // with fewer, what other tests left behind would count
			continue
		}
		if each := float64(heap()-before) / float64(n); each > most {
			t.Errorf("with %d keys each takes %.1f bytes of the heap, want at most %d", n, each, most)
		}
	}
	runtime.KeepAlive(s)
}
