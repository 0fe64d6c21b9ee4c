package wire

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

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
