package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const soon = 2 * sweepEvery

// never takes requests and answers none.
var never = handlerFunc(func(*Request, func(Response)) {})

func TestRefusedIsKnownAtOnceAndHeals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		p := w.startPool(t, PoolOptions{})
		for range 3 {
			began := time.Now()
			got := ask(t, p, "n1", "a:1", readOf("key"), time.Second)
			if !errors.Is(got.Err, ErrNotSent) || !errors.Is(got.Err, errConnRefused) || time.Since(began) != 0 {
				t.Fatalf("reply %v after %v, want ErrNotSent at once, because the connection was refused", got.Err, time.Since(began))
			}
		}
		if !p.Silent("n1") {
			t.Error("a node that can't be reached must count as silent")
		}
		time.Sleep(time.Minute)
		if got := w.dialled(); got < 60 || got > 130 {
			t.Errorf("dialled %d times in a minute, want once or twice a second", got)
		}
		w.startNode(t, "n1", "a:1", ServerOptions{}, newMemory())
		time.Sleep(lastRetry)
		synctest.Wait()
		if got := ask(t, p, "n1", "a:1", readOf("key"), time.Second); got.Err != nil || p.Silent("n1") {
			t.Errorf("a second after the node came up: reply %v, silent %v", got.Err, p.Silent("n1"))
		}
	})
}

// A node that takes connections only to close them is tried no more often than one that refuses them.
func TestConnectionsThatDoNotLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		n := w.startNode(t, "n1", "a:1", ServerOptions{}, newMemory())
		p := w.startPool(t, PoolOptions{})
		w.cutNextAfterReceiving(len(n.opts.accept()))
		ask(t, p, "n1", "a:1", readOf("key"), time.Second)
		time.Sleep(time.Minute)
		if got := w.dialled(); got < 60 || got > 130 {
			t.Errorf("dialled %d times in a minute, want once or twice a second", got)
		}
	})
}

func TestFirstSendWaitsForTheDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		w.startNode(t, "n1", "a:1", ServerOptions{}, newMemory())
		slow := func(ctx context.Context, addr string) (net.Conn, error) {
			time.Sleep(100 * time.Millisecond)
			return w.dial(ctx, addr)
		}
		p := startPool(t, PoolOptions{Dial: slow})
		short, long := make(chan Reply, 1), make(chan Reply, 1)
		began := time.Now()
		p.Send("n1", "a:1", readOf("key"), began.Add(30*time.Millisecond), short)
		p.Send("n1", "a:1", readOf("key"), began.Add(time.Second), long)
		if got := <-short; !errors.Is(got.Err, ErrNotSent) || !errors.Is(got.Err, errDeadline) || time.Since(began) > 30*time.Millisecond+soon {
			t.Errorf("the short one: %v after %v, want ErrNotSent at its deadline of 30 ms", got.Err, time.Since(began))
		}
		if got := <-long; got.Err != nil || time.Since(began) != 100*time.Millisecond {
			t.Errorf("the long one: %v after %v, want an answer after 100 ms", got.Err, time.Since(began))
		}
	})
}

func TestNoAnswerAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		var late func(Response)
		w.startNode(t, "n1", "a:1", ServerOptions{}, handlerFunc(func(req *Request, respond func(Response)) {
			if req.Key == "late" {
				late = respond
				return
			}
			respond(Response{Status: OK, Detail: req.Key})
		}))
		p := w.startPool(t, PoolOptions{})
		began := time.Now()
		got := ask(t, p, "n1", "a:1", writeOf("late", "v"), 200*time.Millisecond)
		if took := time.Since(began); !errors.Is(got.Err, ErrNoAnswer) || errors.Is(got.Err, ErrNotSent) || took < 200*time.Millisecond || took > 200*time.Millisecond+soon {
			t.Errorf("reply %v after %v, want ErrNoAnswer at the deadline of 200 ms", got.Err, took)
		}
		// The answer that comes too late must not be taken for that of the next request, which has the same place.
		to := make(chan Reply, 1)
		p.Send("n1", "a:1", readOf("next"), time.Now().Add(time.Second), to)
		late(Response{Status: OK, Detail: "late"})
		if got := <-to; got.Err != nil || got.Response.Detail != "next" {
			t.Errorf("next reply %+v, want the answer to next", got)
		}
		if w.dialled() != 1 {
			t.Errorf("dialled %d times, want once", w.dialled())
		}
	})
}

func TestSilenceOfOneNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		answer := make(chan struct{})
		w.startNode(t, "n1", "a:1", ServerOptions{}, handlerFunc(func(req *Request, respond func(Response)) {
			go func() { <-answer; respond(Response{Status: OK}) }()
		}))
		w.startNode(t, "n2", "b:1", ServerOptions{}, newMemory())
		p := w.startPool(t, PoolOptions{})
		to := make(chan Reply, 1)
		p.Send("n1", "a:1", readOf("key"), time.Now().Add(time.Minute), to)
		time.Sleep(silentAfter - sweepEvery)
		if p.Silent("n1") {
			t.Error("silent before 50 ms")
		}
		time.Sleep(3 * sweepEvery)
		if !p.Silent("n1") {
			t.Error("not silent after 50 ms without an answer")
		}
		time.Sleep(5 * time.Second) // pings are answered: the connection stays, and so does the silence
		if !p.Silent("n1") || w.dialled() != 1 {
			t.Errorf("after 5 s: silent %v, %d dials, want silent on the first connection", p.Silent("n1"), w.dialled())
		}
		began := time.Now()
		if got := ask(t, p, "n2", "b:1", readOf("key"), time.Second); got.Err != nil || time.Since(began) != 0 || p.Silent("n2") {
			t.Errorf("the other node: %v after %v, silent %v", got.Err, time.Since(began), p.Silent("n2"))
		}
		close(answer)
		if got := <-to; got.Err != nil {
			t.Error(got.Err)
		}
		time.Sleep(silentFor - soon)
		if !p.Silent("n1") {
			t.Error("the silence ended before a second was over")
		}
		time.Sleep(2 * soon)
		synctest.Wait()
		if p.Silent("n1") {
			t.Error("still silent a second after the answer")
		}
	})
}

func TestNetworkThatLosesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		w.startNode(t, "n1", "a:1", ServerOptions{}, newMemory())
		p := w.startPool(t, PoolOptions{})
		ask(t, p, "n1", "a:1", readOf("key"), time.Second)
		w.setLost(true)
		began := time.Now()
		got := ask(t, p, "n1", "a:1", writeOf("key", "v"), time.Minute)
		if took := time.Since(began); !errors.Is(got.Err, ErrNoAnswer) || !errors.Is(got.Err, errMute) || took < muteAfter || took > muteAfter+4*silentAfter {
			t.Errorf("reply %v after %v, want ErrNoAnswer once no ping was answered for 2 s", got.Err, took)
		}
		time.Sleep(time.Second)
		began = time.Now()
		if got := ask(t, p, "n1", "a:1", writeOf("key", "v"), time.Minute); !errors.Is(got.Err, ErrNotSent) || time.Since(began) != 0 || !p.Silent("n1") {
			t.Errorf("while it's away: %v after %v, silent %v, want ErrNotSent at once", got.Err, time.Since(began), p.Silent("n1"))
		}
		w.setLost(false)
		time.Sleep(2 * time.Second)
		if got := ask(t, p, "n1", "a:1", readOf("key"), time.Second); got.Err != nil || p.Silent("n1") {
			t.Errorf("2 s after the network healed: %v, silent %v", got.Err, p.Silent("n1"))
		}
	})
}

// The connection is cut after every number of bytes of a batch: a request has left if and only if at least its first
// byte has.
func TestCutWhileSending(t *testing.T) {
	const requests = 4
	var ends []int // of the requests' frames
	var all []byte
	for i := range requests {
		all = requestFrame(all, uint64(i), writeOf(fmt.Sprint("key", i), "value"))
		ends = append(ends, len(all))
	}
	for cut := range len(all) {
		synctest.Test(t, func(t *testing.T) {
			w := newNetwork()
			w.startNode(t, "n1", "a:1", ServerOptions{}, never)
			p := w.startPool(t, PoolOptions{})
			warm := make(chan Reply, 1)
			p.Send("n1", "a:1", readOf("warm"), time.Now().Add(time.Hour), warm)
			synctest.Wait()
			w.last().cutAfterSending(cut)
			to := make([]chan Reply, requests)
			for i := range to {
				to[i] = make(chan Reply, 2)
				p.Send("n1", "a:1", writeOf(fmt.Sprint("key", i), "value"), time.Now().Add(time.Hour), to[i])
			}
			synctest.Wait()
			start := 0
			for i := range to {
				want := ErrNoAnswer
				if start >= cut {
					want = ErrNotSent
				}
				if got := <-to[i]; !errors.Is(got.Err, want) {
					t.Errorf("cut after %d bytes, request %d from byte %d: %v, want %v", cut, i, start, got.Err, want)
				}
				if len(to[i]) > 0 {
					t.Errorf("request %d got two replies", i)
				}
				start = ends[i]
			}
			if got := <-warm; !errors.Is(got.Err, ErrNoAnswer) {
				t.Errorf("the request before: %v, want ErrNoAnswer", got.Err)
			}
		})
	}
}

func TestCutWhileReceiving(t *testing.T) {
	answer := Response{Status: OK, Record: writeOf("key", "value").Record}
	whole := len(responseFrame(nil, 0, &answer))
	for cut := 1; cut <= whole; cut++ { // at 0 the cable is cut before the request leaves
		synctest.Test(t, func(t *testing.T) {
			w := newNetwork()
			n := w.startNode(t, "n1", "a:1", ServerOptions{}, handlerFunc(func(_ *Request, respond func(Response)) { respond(answer) }))
			p := w.startPool(t, PoolOptions{})
			w.cutNextAfterReceiving(len(n.opts.accept()) + cut)
			got := ask(t, p, "n1", "a:1", readOf("key"), time.Hour)
			if cut < whole && !errors.Is(got.Err, ErrNoAnswer) {
				t.Errorf("cut after %d of %d bytes: %v, want ErrNoAnswer", cut, whole, got.Err)
			}
			if cut == whole && (got.Err != nil || string(got.Response.Record.Value) != "value") {
				t.Errorf("cut behind the answer: %+v, want the answer", got)
			}
			w.cutNextAfterReceiving(-1)
			time.Sleep(lastRetry)
			if got := ask(t, p, "n1", "a:1", readOf("key"), time.Hour); got.Err != nil {
				t.Errorf("on the next connection: %v", got.Err)
			}
		})
	}
}

func TestTwoNodesSwapAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		one, two := w.startNode(t, "n1", "a:1", ServerOptions{}, newMemory()), w.startNode(t, "n2", "b:1", ServerOptions{}, newMemory())
		p := w.startPool(t, PoolOptions{})
		if got := ask(t, p, "n1", "a:1", writeOf("key", "of one"), time.Second); got.Err != nil {
			t.Fatal(got.Err)
		}
		one.stop()
		two.stop()
		w.startNode(t, "n2", "a:1", ServerOptions{}, newMemory())
		w.startNode(t, "n1", "b:1", ServerOptions{}, newMemory())
		time.Sleep(2 * time.Second)
		got := ask(t, p, "n1", "a:1", readOf("key"), time.Second)
		if !errors.Is(got.Err, ErrNotSent) || !strings.Contains(got.Err.Error(), "this is node n2, not n1") {
			t.Errorf("n1 at its old address: %v, want a refusal that names both", got.Err)
		}
		for id, addr := range map[string]string{"n1": "b:1", "n2": "a:1"} {
			if got := ask(t, p, id, addr, readOf("key"), time.Second); got.Err != nil || got.Response.Record.Exists() {
				t.Errorf("%s at its new address: %+v", id, got)
			}
		}
	})
}

func TestMovedNodeLeavesNoCallBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		w.startNode(t, "n1", "a:1", ServerOptions{}, never)
		w.startNode(t, "n1", "b:1", ServerOptions{}, newMemory())
		p := w.startPool(t, PoolOptions{})
		old := make(chan Reply, 1)
		p.Send("n1", "a:1", readOf("key"), time.Now().Add(time.Hour), old)
		synctest.Wait()
		if got := ask(t, p, "n1", "b:1", readOf("key"), time.Second); got.Err != nil {
			t.Error(got.Err)
		}
		if got := <-old; !errors.Is(got.Err, ErrNoAnswer) || !errors.Is(got.Err, errForgotten) {
			t.Errorf("the call to the old address: %v, want ErrNoAnswer because the node moved", got.Err)
		}
	})
}
