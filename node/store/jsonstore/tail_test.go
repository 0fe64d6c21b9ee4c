package jsonstore

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/store/disk/faulty"
)

// TestCutsATornEnd damages the end of the log at every byte of the last two writes, as a crash might have. Only the last write may go, and what is
// written next must be there afterwards.
func TestCutsATornEnd(t *testing.T) {
	d := faulty.New()
	r := newRunner(d, Options{Manual: true})
	contents := []content{r.acked}
	ends := []int{0}
	for i := range 5 {
		b := store.Batch{Records: []record.Record{
			{Key: scriptKey(i), Version: record.Version{HLC: uint64(i + 1)}, Value: fmt.Appendf(nil, "value %d", i)},
			{Key: scriptKey(20), Version: record.Version{HLC: uint64(i + 1)}, Value: bytes.Repeat([]byte{'x'}, 600*(i%2))},
		}}
		if err := r.do(step{batch: b}); err != nil {
			t.Fatal(err)
		}
		contents = append(contents, r.acked)
		ends = append(ends, int(r.store.active.size.Load()))
	}
	name := r.store.active.name()
	whole := d.Bytes(name)
	made := d.Bytes(madeFile)
	lines := bytes.SplitAfter(whole, []byte{'\n'})
	lastLine, lastWrite := lines[len(lines)-2], whole[ends[4]:]
	damages := map[string]func(at int) []byte{
		"cut":       func(at int) []byte { return whole[:at] },
		"NUL":       func(at int) []byte { return append(bytes.Clone(whole[:at]), make([]byte, len(whole)-at)...) },
		"long NUL":  func(at int) []byte { return append(bytes.Clone(whole[:at]), make([]byte, 9000)...) },
		"garbage":   func(at int) []byte { return append(bytes.Clone(whole[:at]), garbage(at, len(whole)-at)...) },
		"sector":    func(at int) []byte { return nulSector(whole, at, 512) },
		"page":      func(at int) []byte { return nulSector(whole, at, 4096) },
		"line end":  func(at int) []byte { return append(bytes.Clone(whole[:at]), '\n') },
		"long junk": func(at int) []byte { return append(bytes.Clone(whole[:at]), garbage(at, 5000)...) },
	}
	for what, damage := range damages {
		for at := ends[3]; at <= len(whole); at += every {
			possible := []content{contents[3], contents[4]}
			if at >= ends[4] {
				possible = contents[4:]
			}
			if what == "sector" || what == "page" {
				at = max(at, ends[4])
			}
			verifyBytes(t, name, damage(at), made, possible, fmt.Sprintf("%s at byte %d", what, at))
		}
	}
	verifyBytes(t, name, append(bytes.Clone(whole), lastLine...), made, contents[5:], "last line doubled")
	verifyBytes(t, name, append(bytes.Clone(whole), lastWrite...), made, contents[5:], "last write doubled")
	verifyBytes(t, name, append(bytes.Clone(whole), whole[ends[3]:]...), made, contents[5:], "last two writes doubled")
}

func verifyBytes(t *testing.T, name string, data, made []byte, possible []content, why string) {
	t.Helper()
	d := faulty.New()
	d.Put(name, data)
	d.Put(madeFile, made)
	verify(t, d, Options{Manual: true}, possible, why)
}

func garbage(seed, n int) []byte {
	rng := rand.New(rand.NewPCG(uint64(seed), 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.IntN(256))
	}
	return b
}

// nulSector leaves out the sector around at: pages come to the disk in any order.
func nulSector(b []byte, at, size int) []byte {
	b = bytes.Clone(b)
	clear(b[at:min(len(b), at-at%size+size)])
	return b
}
