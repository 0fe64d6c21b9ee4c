package jsonstore

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/store/disk"
)

func benchStore(b testing.TB, o Options) (*Store, disk.Disk) {
	b.Helper()
	d, err := disk.OpenOS(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	s, err := Open(d, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	return s, d
}

// cpu returns the processor time that this process has used. On a machine that others use as well it says more than the
// time that passed.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// reportCPU reports the processor time since start for each of n.
func reportCPU(b *testing.B, start time.Duration, n int, of string) {
	b.Helper()
	b.ReportMetric(float64((cpu(b)-start).Nanoseconds())/float64(n), "cpu-ns/"+of)
}

// benchRecord has a key of 20 bytes and a value of 100.
func benchRecord(i int) record.Record {
	value := []byte(fmt.Sprintf("%0100d", i))
	return record.Record{Key: fmt.Sprintf("key-%016d", i), Version: record.Version{HLC: uint64(i) + 1, Writer: 1}, Value: value}
}

func benchRecords(from, n int) []record.Record {
	all := make([]record.Record, n)
	for i := range all {
		all[i] = benchRecord(from + i)
	}
	return all
}

func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1, 64} {
		b.Run(fmt.Sprintf("records=%d", n), func(b *testing.B) {
			s, _ := benchStore(b, Options{})
			records := benchRecords(0, n)
			b.ReportAllocs()
			start := cpu(b)
			for b.Loop() {
				if err := s.Apply(store.Batch{Records: records}); err != nil {
					b.Fatal(err)
				}
			}
			reportCPU(b, start, b.N*n, "record")
		})
	}
	b.Run("records=1,callers=64", func(b *testing.B) {
		s, _ := benchStore(b, Options{})
		b.SetParallelism(64 / runtime.GOMAXPROCS(0))
		b.ReportAllocs()
		start := cpu(b)
		b.RunParallel(func(pb *testing.PB) {
			records := benchRecords(rand.IntN(1000), 1)
			for pb.Next() {
				if err := s.Apply(store.Batch{Records: records}); err != nil {
					b.Error(err)
				}
			}
		})
		reportCPU(b, start, b.N, "record")
	})
}

func BenchmarkGet(b *testing.B) {
	s, _ := benchStore(b, Options{})
	const n = 100_000
	records := benchRecords(0, n)
	for part := range slices.Chunk(records, 1000) {
		if err := s.Apply(store.Batch{Records: part}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	i := 0
	start := cpu(b)
	for b.Loop() {
		i = (i + 7919) % n
		if _, ok, err := s.Get(records[i].Key); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
	reportCPU(b, start, b.N, "op")
}

func BenchmarkHead(b *testing.B) {
	s, _ := benchStore(b, Options{})
	const n = 100_000
	records := benchRecords(0, n)
	if err := s.Apply(store.Batch{Records: records}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % n
		if _, ok := s.Head(records[i].Key); !ok {
			b.Fatal("gone")
		}
	}
}

func BenchmarkEncodeLine(b *testing.B) {
	l := recordLine(benchRecord(1), place{812, 3, 64})
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = l.appendTo(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecodeLine(b *testing.B) {
	l := recordLine(benchRecord(1), place{812, 3, 64})
	raw := l.appendTo(nil)
	raw = raw[:len(raw)-1]
	scratch := make([]byte, headBytes)
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if got := decodeLine(raw, scratch); !got.ok {
			b.Fatal("not ok")
		}
	}
}

const million = 1_000_000

func fillMillion(b *testing.B, s *Store) {
	b.Helper()
	for from := 0; from < million; from += 1000 {
		if err := s.Apply(store.Batch{Records: benchRecords(from, 1000)}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReopen opens a million records: by their hints, and by reading all lines.
func BenchmarkReopen(b *testing.B) {
	s, d := benchStore(b, Options{})
	fillMillion(b, s)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("hints", func(b *testing.B) { benchReopen(b, d) })
	names, err := d.List()
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range names {
		if _, ok := numberOf(name, "hint-", ".bin"); ok {
			if err := d.Remove(name); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("scan", func(b *testing.B) { benchReopen(b, d) })
}

func benchReopen(b *testing.B, d disk.Disk) {
	start := cpu(b)
	for b.Loop() {
		again, err := Open(d, Options{Manual: true})
		if err != nil {
			b.Fatal(err)
		}
		if st := again.Stats(); st.Keys != million {
			b.Fatalf("%d keys", st.Keys)
		}
		if err := again.segments.close(); err != nil { // as if killed: no hints are written
			b.Fatal(err)
		}
	}
	reportCPU(b, start, b.N, "op")
}

// BenchmarkMemory reports what the heap holds for each of a million keys of 20 bytes, and what the process takes up besides.
func BenchmarkMemory(b *testing.B) {
	for b.Loop() {
		s, _ := benchStore(b, Options{})
		before := heap()
		fillMillion(b, s)
		b.ReportMetric(float64(heap()-before)/million, "heap-B/key")
		b.ReportMetric(float64(resident(b))/million, "rss-B/key")
		runtime.KeepAlive(s)
	}
}

// resident returns the bytes of memory that the process takes up.
func resident(b *testing.B) int64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip(err)
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkApplyDuringCompaction compares the latency of Apply alone and while segments are compacted, in turns, so that whatever else the machine
// does meets both alike.
func BenchmarkApplyDuringCompaction(b *testing.B) {
	for b.Loop() {
		var alone, during []time.Duration
		for range 6 {
			s, _ := benchStore(b, Options{SegmentBytes: 4 << 20, Manual: true})
			for from := 0; from < 60_000; from += 1000 {
				if err := s.Apply(store.Batch{Records: benchRecords(from%30_000/3*2, 1000)}); err != nil {
					b.Fatal(err)
				}
			}
			ctx, stop := context.WithTimeout(b.Context(), time.Second)
			alone = measureApply(ctx, b, s, alone)
			stop()
			ctx, stop = context.WithCancel(b.Context())
			var wait sync.WaitGroup
			wait.Go(func() {
				defer stop()
				if err := s.Compact(ctx); err != nil {
					b.Error(err)
				}
			})
			during = measureApply(ctx, b, s, during)
			wait.Wait()
		}
		slices.Sort(alone)
		slices.Sort(during)
		p99 := func(all []time.Duration) float64 { return float64(all[len(all)*99/100].Microseconds()) }
		b.ReportMetric(p99(alone), "alone-p99-us")
		b.ReportMetric(p99(during), "during-p99-us")
		b.ReportMetric(float64(len(during)), "during-applies")
	}
}

// measureApply applies until ctx is done, and adds what each call took.
func measureApply(ctx context.Context, b *testing.B, s *Store, latency []time.Duration) []time.Duration {
	b.Helper()
	for i := 0; ctx.Err() == nil; i++ {
		start := time.Now()
		if err := s.Apply(store.Batch{Records: benchRecords(i%1000, 1)}); err != nil {
			b.Fatal(err)
		}
		latency = append(latency, time.Since(start))
	}
	return latency
}
