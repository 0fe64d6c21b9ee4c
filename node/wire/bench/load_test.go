// Package bench compares package wire with a gRPC stream of batches, both ends in one process over loopback.
package bench

import (
	"fmt"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

const valueSize = 100 // bytes, where nothing else is said

var config = &placement.Config{Generation: 12, Owners: []string{"node-7f3a9c21", "node-1b20cc04", "node-93f0de77"}}

// trivial is a Handler that costs as little as one can.
type trivial struct{ held record.Record }

func newTrivial(size int) *trivial {
	return &trivial{record.Record{Version: record.Version{HLC: 1, Writer: 2}, Value: make([]byte, size)}}
}

func (h *trivial) Handle(req *wire.Request, respond func(wire.Response)) {
	if req.Op == wire.OpRead {
		respond(wire.Response{Status: wire.OK, Record: h.held})
		return
	}
	respond(wire.Response{Status: wire.OK})
}

// requests returns a read and a write.
func requests(caller, size int) [2]*wire.Request {
	key := fmt.Sprintf("some/key/%08d", caller)
	write := record.Record{Key: key, Version: record.Version{HLC: 3, Writer: 4}, Value: make([]byte, size)}
	return [2]*wire.Request{
		{Op: wire.OpRead, Config: config, Key: key},
		{Op: wire.OpWrite, Config: config, Key: key, Record: write},
	}
}

// load has callers goroutines do b.N operations between them, each after its last was answered, reads and writes by
// turns. It reports the CPU time of the whole process, user and system, and the latency.
func load(b *testing.B, callers, size int, caller func(i int) (do func(*wire.Request))) {
	dos := make([]func(*wire.Request), callers)
	for i := range dos {
		dos[i] = caller(i)
		dos[i](requests(i, size)[0]) // connects
	}
	latencies := make([][]time.Duration, callers)
	var all sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	before, began := cpu(b), time.Now()
	for i := range callers {
		share := b.N / callers
		if i < b.N%callers {
			share++
		}
		all.Go(func() {
			reqs := requests(i, size)
			for op := range share {
				if op%16 != 0 {
					dos[i](reqs[op%2])
					continue
				}
				start := time.Now()
				dos[i](reqs[op/16%2])
				latencies[i] = append(latencies[i], time.Since(start))
			}
		})
	}
	all.Wait()
	took, used := time.Since(began), cpu(b)-before
	b.StopTimer()
	sorted := slices.Sorted(slices.Values(slices.Concat(latencies...)))
	b.ReportMetric(float64(b.N)/took.Seconds(), "ops/s")
	b.ReportMetric(float64(b.N)/used.Seconds(), "ops/core-s")
	b.ReportMetric(float64(used.Nanoseconds())/1e3/float64(b.N), "cpu-us/op")
	b.ReportMetric(float64(sorted[len(sorted)/2].Nanoseconds())/1e3, "p50-us")
	b.ReportMetric(float64(sorted[len(sorted)*99/100].Nanoseconds())/1e3, "p99-us")
}

// cpu returns the CPU time that this process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
