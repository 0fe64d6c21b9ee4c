package oracle

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHistoryOrdersEventsWhenTheClockStandsStill(t *testing.T) {
	h := NewHistory(func() time.Duration { return time.Second })
	first := h.Begin(1, Put, "k", "a")
	first.End(OK, Answer{Version: "01"})
	fault := h.Fault("kill n1")
	second := h.Begin(2, Get, "k", "")
	h.Begin(3, Delete, "k", "")
	second.End(OK, Answer{Value: "a", Found: true, Version: "01"})
	second.End(Failed, Answer{Detail: "only the first counts"})

	ops := h.Ops()
	if len(ops) != 3 {
		t.Fatalf("len(Ops()) = %d, want 3", len(ops))
	}
	if !(ops[0].Call < ops[0].Return && ops[0].Return < fault.At && fault.At < ops[1].Call && ops[1].Call < ops[2].Call) {
		t.Errorf("Ops() = %v with fault at %d, want them in the order of the calls", ops, fault.At)
	}
	if ops[1].Outcome != OK || ops[1].Value != "a" || !ops[1].Found {
		t.Errorf("Ops()[1] = %v, want what its first End said", ops[1])
	}
	if ops[2].Outcome != Unknown || ops[2].Return != Never {
		t.Errorf("Ops()[2] = %v, want unknown and without an end", ops[2])
	}
	if got := h.Acknowledged(); got != 2 {
		t.Errorf("Acknowledged() = %d, want 2", got)
	}
	if got := h.Faults(); len(got) != 1 || got[0] != fault {
		t.Errorf("Faults() = %v, want [%v]", got, fault)
	}
}

func TestHistoryIsSafeConcurrently(t *testing.T) {
	h := NewHistory(nil)
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			for i := range 100 {
				h.Begin(client, Put, "k", MakeValue("k", client, i, 0)).End(OK, Answer{})
				h.Ops()
			}
		})
	}
	wg.Wait()
	ops := h.Ops()
	if len(ops) != 800 {
		t.Errorf("len(Ops()) = %d, want 800", len(ops))
	}
	if err := CheckRegister(ops); err != nil {
		t.Errorf("CheckRegister(puts only) = %v, want nil", err)
	}
}

func TestViolationShowsAFewAndCountsAll(t *testing.T) {
	var ops []Op
	for i := range 12 {
		key := fmt.Sprintf("key-%02d", i)
		ops = append(ops, put(1, "a", 1, 2).of(key), miss(1, 3, 4).of(key))
	}
	text := CheckRegister(ops).Error()
	for _, want := range []string{"broken 12 times", "key-00", "and 7 more"} {
		if !strings.Contains(text, want) {
			t.Errorf("Error() = %q, want it to contain %q", text, want)
		}
	}
}

func BenchmarkCheckRegister(b *testing.B) {
	h := NewHistory(nil)
	for i := range 100_000 {
		key := fmt.Sprint(i % 100)
		h.Begin(1, Put, key, fmt.Sprint(i)).End(OK, Answer{})
		h.Begin(1, Get, key, "").End(OK, Answer{Value: fmt.Sprint(i), Found: true})
	}
	ops := h.Ops()
	b.ReportMetric(float64(len(ops)), "ops/history")
	for b.Loop() {
		if err := CheckRegister(ops); err != nil {
			b.Fatal(err)
		}
	}
}
