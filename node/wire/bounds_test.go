package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// held is a Handler that keeps what it owes until it is told to answer.
type held struct{ owed chan func(Response) }

func newHeld() *held { return &held{make(chan func(Response), 1000)} }

func (h *held) Handle(_ *Request, respond func(Response)) { h.owed <- respond }

func TestMoreInFlightThanANodeTakes(t *testing.T) {
	for name, opts := range map[string]ServerOptions{"of a connection": {MaxInFlight: 2}, "of all": {MaxTotalFlight: 2}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, h := newNetwork(), newHeld()
				n := w.startNode(t, "n1", "a:1", opts, h)
				p := w.startPool(t, PoolOptions{})
				first := make(chan Reply, 2)
				for range 2 {
					p.Send("n1", "a:1", readOf("key"), time.Now().Add(time.Second), first)
				}
				synctest.Wait()
				got := ask(t, p, "n1", "a:1", readOf("key"), time.Second)
				if got.Err != nil || got.Response.Status != Overloaded || !strings.Contains(got.Response.Detail, "2 requests") {
					t.Errorf("the third: %+v, want Overloaded because 2 wait", got)
				}
				for range 2 {
					(<-h.owed)(Response{Status: OK})
					if got := <-first; got.Err != nil || got.Response.Status != OK {
						t.Errorf("one of the first two: %+v", got)
					}
				}
				synctest.Wait()
				if n.flight.Load() != 0 || n.bytes.Load() != 0 {
					t.Errorf("%d requests and %d bytes are still counted", n.flight.Load(), n.bytes.Load())
				}
			})
		})
	}
}

func TestMoreBytesThanANodeTakes(t *testing.T) {
	const value = 100 << 10
	synctest.Test(t, func(t *testing.T) {
		w, h := newNetwork(), newHeld()
		n := w.startNode(t, "n1", "a:1", ServerOptions{MaxValue: value, MaxBytes: 1}, h) // raised to 4 values
		p := w.startPool(t, PoolOptions{MaxValue: value, MaxQueued: 100 * value})
		to := make(chan Reply, 10)
		for range cap(to) {
			p.Send("n1", "a:1", writeOf("key", strings.Repeat("v", value)), time.Now().Add(time.Second), to)
		}
		synctest.Wait()
		if len(h.owed) != 4 || len(to) != 6 {
			t.Errorf("%d requests taken and %d refused, want 4 and 6", len(h.owed), len(to))
		}
		for range len(to) {
			if got := <-to; got.Response.Status != Overloaded {
				t.Errorf("%+v, want Overloaded", got)
			}
		}
		for range len(h.owed) {
			(<-h.owed)(Response{Status: OK})
		}
		synctest.Wait()
		if n.bytes.Load() != 0 {
			t.Errorf("%d bytes are still counted", n.bytes.Load())
		}
	})
}

// rawConn connects to n1 at a:1 past the handshake.
func (w *network) rawConn(t *testing.T, maxValue int) (net.Conn, *frameReader) {
	t.Helper()
	conn, err := w.dial(t.Context(), "a:1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_, r, err := hello{"n1", 3, "ringkv-node", maxValue}.shake(t.Context(), conn, conn, "a:1")
	if err != nil {
		t.Fatal(err)
	}
	return conn, &frameReader{buffered: r, max: maxValue + overhead}
}

// statuses reads so many responses.
func statuses(t *testing.T, frames *frameReader, count, maxValue int) map[Status]int {
	t.Helper()
	got := map[Status]int{}
	for range count {
		payload, owned, err := frames.next()
		if err != nil {
			t.Fatal(err)
		}
		var resp Response
		if err := decodeResponse(payload[1+idSize:], owned, maxValue, newIntern(), &resp); err != nil {
			t.Fatal(err)
		}
		got[resp.Status]++
	}
	return got
}

// Answers that come all at once to an asker that doesn't read must not pile up.
func TestAnswersThatNobodyReads(t *testing.T) {
	const value, requests = 64 << 10, 100
	synctest.Test(t, func(t *testing.T) {
		w, h := newNetwork(), newHeld()
		n := w.startNode(t, "n1", "a:1", ServerOptions{MaxValue: value, MaxBytes: 1}, h) // raised to 4 values
		conn, frames := w.rawConn(t, value)
		for id := range uint64(requests) {
			if _, err := conn.Write(requestFrame(nil, id, readOf("key"))); err != nil {
				t.Fatal(err)
			}
		}
		answer := Response{Status: OK, Record: writeOf("key", strings.Repeat("v", value)).Record}
		for range requests {
			(<-h.owed)(answer)
		}
		if got := n.bytes.Load(); got > int64(n.opts.MaxBytes+requests*100) {
			t.Errorf("%d bytes are held, want about %d at most", got, n.opts.MaxBytes)
		}
		if got := statuses(t, frames, requests, value); got[OK] < 2 || got[OK]+got[Overloaded] != requests {
			t.Errorf("statuses %v, want some OK and the rest of %d Overloaded", got, requests)
		}
	})
}

// A node that has stopped reading goes on when the asker reads again.
func TestAskerThatReadsAgain(t *testing.T) {
	const value, requests = 64 << 10, 2000
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		answer := Response{Status: OK, Record: writeOf("key", strings.Repeat("v", value)).Record}
		w.startNode(t, "n1", "a:1", ServerOptions{MaxValue: value, MaxBytes: 1}, handlerFunc(func(_ *Request, respond func(Response)) { respond(answer) }))
		conn, frames := w.rawConn(t, value)
		var sent atomic.Int32
		go func() {
			for id := range uint64(requests) {
				if _, err := conn.Write(requestFrame(nil, id, readOf("key"))); err != nil {
					t.Error(err)
					return
				}
				sent.Add(1)
			}
		}()
		synctest.Wait()
		if sent.Load() == requests {
			t.Fatal("the node never stopped reading")
		}
		if got := statuses(t, frames, requests, value); got[OK]+got[Overloaded] != requests || got[OK] == 0 {
			t.Errorf("statuses %v, want %d in all", got, requests)
		}
	})
}

// An asker that reads nothing is answered with Overloaded, then not read any more, and at last cut off.
func TestAskerThatDoesNotRead(t *testing.T) {
	const value = 64 << 10
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		answer := Response{Status: OK, Record: writeOf("key", strings.Repeat("v", value)).Record}
		n := w.startNode(t, "n1", "a:1", ServerOptions{MaxValue: value, MaxBytes: 1}, handlerFunc(func(_ *Request, respond func(Response)) { respond(answer) }))
		conn, _ := w.rawConn(t, value)
		began := time.Now()
		frame := requestFrame(nil, 1, readOf("key"))
		for sent := 0; ; sent++ {
			if _, err := conn.Write(frame); err != nil {
				break
			}
			synctest.Wait()
			if got, most := n.bytes.Load(), int64(n.opts.MaxBytes+readBuffer*4); got > most {
				t.Fatalf("%d bytes are held after %d requests, want at most %d", got, sent, most)
			}
		}
		if took := time.Since(began); took != n.opts.WriteTimeout {
			t.Errorf("cut off after %v, want %v", took, n.opts.WriteTimeout)
		}
		synctest.Wait()
		if n.bytes.Load() != 0 || n.flight.Load() != 0 {
			t.Errorf("%d bytes and %d requests are still counted", n.bytes.Load(), n.flight.Load())
		}
	})
}

func TestAnswerBehindTheEndOfTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, h := newNetwork(), newHeld()
		n := w.startNode(t, "n1", "a:1", ServerOptions{}, h)
		p := w.startPool(t, PoolOptions{})
		to := make(chan Reply, 1)
		p.Send("n1", "a:1", readOf("key"), time.Now().Add(time.Second), to)
		synctest.Wait()
		p.Forget("n1")
		synctest.Wait()
		(<-h.owed)(Response{Status: OK})
		if got := <-to; !errors.Is(got.Err, ErrNoAnswer) {
			t.Errorf("%v, want ErrNoAnswer", got.Err)
		}
		if n.bytes.Load() != 0 || n.flight.Load() != 0 {
			t.Errorf("%d bytes and %d requests are still counted", n.bytes.Load(), n.flight.Load())
		}
	})
}

// An asker that reads slowly gets all of its answer, though that takes longer than a node waits for one that reads nothing.
func TestAskerThatReadsSlowly(t *testing.T) {
	for name, size := range map[string]int{"copied": largeValue - 1, "not copied": largeValue} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newNetwork()
				value := strings.Repeat("value", size)[:size]
				answer := Response{Status: OK, Record: writeOf("key", value).Record}
				w.startNode(t, "n1", "a:1", ServerOptions{WriteTimeout: time.Second}, handlerFunc(func(_ *Request, respond func(Response)) { respond(answer) }))
				slow := func(ctx context.Context, addr string) (net.Conn, error) {
					conn, err := w.dial(ctx, addr)
					return slowConn{conn}, err
				}
				p := startPool(t, PoolOptions{Dial: slow})
				began := time.Now()
				got := ask(t, p, "n1", "a:1", readOf("key"), time.Hour)
				if took := time.Since(began); got.Err != nil || string(got.Response.Record.Value) != value || took < 5*time.Second {
					t.Errorf("%v, %d bytes after %v, want %d bytes after more than 5 s", got.Err, len(got.Response.Record.Value), took, size)
				}
			})
		})
	}
}

// slowConn reads 200 bytes each 250 ms.
type slowConn struct{ net.Conn }

func (c slowConn) Read(b []byte) (int, error) {
	time.Sleep(250 * time.Millisecond)
	return c.Conn.Read(b[:min(len(b), 200)])
}

func TestMoreThanAPoolTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		w.startNode(t, "n1", "a:1", ServerOptions{}, never)
		w.startNode(t, "n2", "b:1", ServerOptions{}, newMemory())
		p := w.startPool(t, PoolOptions{MaxPending: 2})
		to := make(chan Reply, 2)
		for range 2 {
			p.Send("n1", "a:1", readOf("key"), time.Now().Add(time.Second), to)
		}
		began := time.Now()
		if got := ask(t, p, "n1", "a:1", readOf("key"), time.Second); !errors.Is(got.Err, ErrNotSent) || !errors.Is(got.Err, errTooMany) || time.Since(began) != 0 {
			t.Errorf("the third: %v, want ErrNotSent at once", got.Err)
		}
		if got := ask(t, p, "n2", "b:1", readOf("key"), time.Second); got.Err != nil {
			t.Errorf("another node: %v", got.Err)
		}
		for range 2 {
			if got := <-to; !errors.Is(got.Err, ErrNoAnswer) {
				t.Errorf("one of the first two: %v, want ErrNoAnswer", got.Err)
			}
		}
	})
}

func TestQueueToANodeThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, stuck := newNetwork(), make(chan struct{})
		w.startNode(t, "n1", "a:1", ServerOptions{}, handlerFunc(func(*Request, func(Response)) { <-stuck }))
		defer close(stuck)
		p := w.startPool(t, PoolOptions{MaxValue: 1 << 10, MaxQueued: 1}) // raised to 4 values
		to := make(chan Reply, 10000)
		sent, deadline := 0, time.Now().Add(500*time.Millisecond)
		for len(to) == 0 && sent < 1000 {
			p.Send("n1", "a:1", writeOf("key", strings.Repeat("v", 1<<10)), deadline, to)
			sent++
			synctest.Wait()
		}
		if got := <-to; !errors.Is(got.Err, errTooMany) || !errors.Is(got.Err, ErrNotSent) {
			t.Errorf("beyond the bound: %v, want ErrNotSent", got.Err)
		}
		notSent, noAnswer := 0, 0
		for range sent - 1 {
			switch got := <-to; {
			case errors.Is(got.Err, ErrNotSent):
				notSent++
			case errors.Is(got.Err, ErrNoAnswer):
				noAnswer++
			}
		}
		if notSent == 0 || noAnswer == 0 || notSent+noAnswer != sent-1 {
			t.Errorf("of %d requests %d were still in line and %d on their way, want some of each", sent-1, notSent, noAnswer)
		}
		// The room of those whose deadline passed in line is given back.
		again := 0
		for ; len(to) == 0 && again < 1000; again++ {
			p.Send("n1", "a:1", writeOf("key", strings.Repeat("v", 1<<10)), time.Now().Add(50*time.Millisecond), to)
		}
		if again < 4 || again > sent {
			t.Errorf("after the deadline there is room for %d requests, before it there was for %d", again, sent)
		}
	})
}

func TestRequestsThatCantBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		w.startNode(t, "n1", "a:1", ServerOptions{MaxValue: 10}, newMemory())
		p := w.startPool(t, PoolOptions{MaxValue: 20})
		if got := ask(t, p, "n1", "a:1", readOf("key"), time.Second); got.Err != nil {
			t.Fatal(got.Err)
		}
		for value, want := range map[int]string{11: "11 bytes, node n1 accepts 10", 21: "21 bytes, 20 are accepted"} {
			got := ask(t, p, "n1", "a:1", writeOf("key", strings.Repeat("v", value)), time.Second)
			if !errors.Is(got.Err, ErrNotSent) || !errors.Is(got.Err, errValueTooLarge) || !strings.Contains(got.Err.Error(), want) {
				t.Errorf("value of %d bytes: %v, want ErrNotSent: %s", value, got.Err, want)
			}
		}
		if got := ask(t, p, strings.Repeat("n", MaxNodeID+1), "a:1", readOf("key"), time.Second); !errors.Is(got.Err, ErrNotSent) {
			t.Errorf("a long node id: %v, want ErrNotSent", got.Err)
		}
		if got := ask(t, p, "n1", "a:1", readOf("key"), time.Second); got.Err != nil || w.dialled() != 1 {
			t.Errorf("after them: %v, %d dials, want the first connection still", got.Err, w.dialled())
		}
	})
}

func TestAnswerLargerThanTheAskerTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		w.startNode(t, "n1", "a:1", ServerOptions{}, handlerFunc(func(_ *Request, respond func(Response)) {
			respond(Response{Status: OK, Record: writeOf("key", strings.Repeat("v", 100)).Record})
		}))
		p := w.startPool(t, PoolOptions{MaxValue: 99})
		got := ask(t, p, "n1", "a:1", readOf("key"), time.Second)
		if got.Err != nil || got.Response.Status != Failed || !strings.Contains(got.Response.Detail, "100 bytes, more than the asker's -max-value of 99") {
			t.Errorf("%+v, want Failed with both bounds", got)
		}
	})
}

// A later asker may send what this node doesn't know; the connection stays.
func TestUnknownOperation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		w.startNode(t, "n1", "a:1", ServerOptions{}, newMemory())
		conn, frames := w.rawConn(t, testMax)
		for id, c := range []struct {
			req  *Request
			want Status
		}{{&Request{Op: 77, Key: "key"}, BadRequest}, {readOf(""), BadRequest}, {readOf("key"), OK}} {
			if _, err := conn.Write(requestFrame(nil, uint64(id), c.req)); err != nil {
				t.Fatal(err)
			}
			payload, owned, err := frames.next()
			if err != nil {
				t.Fatal(err)
			}
			var resp Response
			if err := decodeResponse(payload[1+idSize:], owned, testMax, newIntern(), &resp); err != nil || resp.Status != c.want || payload[1] != byte(id) {
				t.Errorf("answer %+v, error %v, want status %d", resp, err, c.want)
			}
		}
	})
}

func TestTooManyConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		w.startNode(t, "n1", "a:1", ServerOptions{MaxConns: 1}, newMemory())
		first, second := w.startPool(t, PoolOptions{}), w.startPool(t, PoolOptions{})
		if got := ask(t, first, "n1", "a:1", readOf("key"), time.Second); got.Err != nil {
			t.Fatal(got.Err)
		}
		if got := ask(t, second, "n1", "a:1", readOf("key"), time.Second); !errors.Is(got.Err, ErrNotSent) || !strings.Contains(got.Err.Error(), "has 1 connections already") {
			t.Errorf("the second asker: %v, want a refusal", got.Err)
		}
		first.Forget("n1")
		time.Sleep(lastRetry)
		if got := ask(t, second, "n1", "a:1", readOf("key"), time.Second); got.Err != nil {
			t.Errorf("once the first has gone: %v", got.Err)
		}
	})
}

func TestShutdownAnswersWhatWasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, h := newNetwork(), newHeld()
		n := w.startNode(t, "n1", "a:1", ServerOptions{}, h)
		p := w.startPool(t, PoolOptions{})
		to := make(chan Reply, 5)
		for i := range cap(to) {
			p.Send("n1", "a:1", readOf(fmt.Sprint(i)), time.Now().Add(time.Minute), to)
		}
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- n.Shutdown(t.Context()) }()
		synctest.Wait()
		if got := ask(t, p, "n1", "a:1", readOf("key"), time.Second); !errors.Is(got.Err, ErrNotSent) || !errors.Is(got.Err, errLeaving) || !p.Silent("n1") {
			t.Errorf("a new request: %v, silent %v, want ErrNotSent because the node is shutting down", got.Err, p.Silent("n1"))
		}
		if len(done) != 0 || len(to) != 0 {
			t.Fatal("Shutdown didn't wait for the answers")
		}
		for range cap(to) {
			(<-h.owed)(Response{Status: OK})
		}
		for range cap(to) {
			if got := <-to; got.Err != nil {
				t.Errorf("a request that was taken: %v", got.Err)
			}
		}
		began := time.Now()
		if err := <-done; err != nil || time.Since(began) > soon {
			t.Errorf("Shutdown = %v, %v after the last answer", err, time.Since(began))
		}
		time.Sleep(time.Second)
		if got := ask(t, p, "n1", "a:1", readOf("key"), time.Second); !errors.Is(got.Err, ErrNotSent) || !strings.Contains(got.Err.Error(), "node n1 is shutting down") {
			t.Errorf("a new connection: %v, want a refusal", got.Err)
		}
	})
}

func TestShutdownOfIdleConnectionsIsQuick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		n := w.startNode(t, "n1", "a:1", ServerOptions{}, newMemory())
		p := w.startPool(t, PoolOptions{})
		ask(t, p, "n1", "a:1", readOf("key"), time.Second)
		began := time.Now()
		if err := n.Shutdown(t.Context()); err != nil || time.Since(began) != 0 {
			t.Errorf("Shutdown = %v after %v, want nil at once", err, time.Since(began))
		}
	})
}

func TestShutdownIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		n := w.startNode(t, "n1", "a:1", ServerOptions{}, never)
		p := w.startPool(t, PoolOptions{})
		to := make(chan Reply, 1)
		p.Send("n1", "a:1", readOf("key"), time.Now().Add(time.Minute), to)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := n.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown = %v, want the context's error", err)
		}
		if got := <-to; !errors.Is(got.Err, ErrNoAnswer) {
			t.Errorf("the request that was cut off: %v, want ErrNoAnswer", got.Err)
		}
	})
}

func TestForgetAndIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		n := w.startNode(t, "n1", "a:1", ServerOptions{}, newMemory())
		p := w.startPool(t, PoolOptions{IdleAfter: time.Minute})
		open := func() int {
			synctest.Wait()
			n.mu.Lock()
			defer n.mu.Unlock()
			return len(n.open)
		}
		ask(t, p, "n1", "a:1", readOf("key"), time.Second)
		if open() != 1 {
			t.Fatalf("%d connections, want 1", open())
		}
		p.Forget("n1")
		p.Forget("n9")
		if open() != 0 {
			t.Errorf("%d connections after Forget, want none", open())
		}
		ask(t, p, "n1", "a:1", readOf("key"), time.Second)
		for range 5 { // asked every half a minute, it stays
			time.Sleep(30 * time.Second)
			ask(t, p, "n1", "a:1", readOf("key"), time.Second)
		}
		if w.dialled() != 2 {
			t.Errorf("%d dials, want 2", w.dialled())
		}
		time.Sleep(2*time.Minute + time.Second)
		if open() != 0 {
			t.Errorf("%d connections after 2 idle minutes, want none", open())
		}
	})
}

func TestCloseSettlesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		w.startNode(t, "n1", "a:1", ServerOptions{}, never)
		p := w.startPool(t, PoolOptions{})
		left, waiting := make(chan Reply, 2), make(chan Reply, 2)
		p.Send("n1", "a:1", readOf("key"), time.Now().Add(time.Hour), left)
		synctest.Wait()
		w.setLost(true)
		p.Send("n2", "b:1", readOf("key"), time.Now().Add(time.Hour), waiting)
		p.Close()
		p.Close()
		if got := <-left; !errors.Is(got.Err, ErrNoAnswer) {
			t.Errorf("the request that had left: %v, want ErrNoAnswer", got.Err)
		}
		if got := <-waiting; !errors.Is(got.Err, ErrNotSent) {
			t.Errorf("the one that waited for a connection: %v, want ErrNotSent", got.Err)
		}
		for _, node := range []string{"n1", "n3"} {
			if got := ask(t, p, node, "a:1", readOf("key"), time.Second); !errors.Is(got.Err, ErrNotSent) {
				t.Errorf("after Close: %v, want ErrNotSent", got.Err)
			}
		}
		if len(left)+len(waiting) > 0 {
			t.Error("a request got two replies")
		}
	})
}
