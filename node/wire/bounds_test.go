package wire

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/hashring/placement"
	"ringkv/node/record"
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

// An answer beyond the asker's bounds must not end the connection that others share.
func TestAnswersThatCantBeSent(t *testing.T) {
	long := func(n int) []record.Record {
		return []record.Record{{Key: "key", Version: record.Version{HLC: 1}, Value: make([]byte, n)}}
	}
	for name, c := range map[string]struct {
		resp Response
		want string
	}{
		"value":        {Response{Status: OK, Record: long(100)[0]}, "100 bytes, 99 are accepted"},
		"type":         {Response{Status: OK, Record: record.Record{Version: record.Version{HLC: 1}, Type: strings.Repeat("t", MaxType+1)}}, errTypeTooLong.Error()},
		"config":       {Response{Status: Stale, Config: &placement.Config{Owners: make([]string, MaxOwners+1)}}, errTooManyOwners.Error()},
		"history":      {Response{Status: OK, Pulled: &Pulled{History: make([]*placement.Config, 300)}}, errHistoryTooLong.Error()},
		"page":         {Response{Status: OK, Pulled: &Pulled{Records: make([]record.Record, MaxPage+1)}}, errPageTooLong.Error()},
		"pulled value": {Response{Status: OK, Pulled: &Pulled{Records: long(1 << 20)}}, "more than the asker accepts"},
		"pulled owner": {Response{Status: OK, Pulled: &Pulled{Settled: &placement.Config{Owners: []string{strings.Repeat("n", MaxNodeID+1)}}}}, errNodeIDTooLong.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newNetwork()
				w.startNode(t, "n1", "a:1", ServerOptions{}, handlerFunc(func(_ *Request, respond func(Response)) { respond(c.resp) }))
				p := w.startPool(t, PoolOptions{MaxValue: 99})
				got := ask(t, p, "n1", "a:1", readOf("key"), time.Second)
				if got.Err != nil || got.Response.Status != Failed || !strings.Contains(got.Response.Detail, c.want) {
					t.Errorf("%+v, want Failed: %s", got, c.want)
				}
			})
		})
	}
}

// The longest page with the longest history passes.
func TestLongestPage(t *testing.T) {
	owners := make([]string, MaxOwners)
	for i := range owners {
		owners[i] = strings.Repeat("n", MaxNodeID)
	}
	page := &Pulled{More: true}
	for i := range uint64(MaxHistory) {
		page.History = append(page.History, &placement.Config{Generation: i, Owners: owners})
	}
	for i := range uint64(MaxPage) {
		page.Records = append(page.Records, record.Record{Key: strings.Repeat("k", MaxKey), Version: record.Version{HLC: i + 1}, Type: strings.Repeat("t", MaxType)})
	}
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		w.startNode(t, "n1", "a:1", ServerOptions{MaxValue: 99}, handlerFunc(func(_ *Request, respond func(Response)) {
			respond(Response{Status: OK, Pulled: page})
		}))
		p := w.startPool(t, PoolOptions{MaxValue: 99})
		pull := &Request{Op: OpPull, Config: someConfig, HeadOnly: true}
		if got := ask(t, p, "n1", "a:1", pull, time.Second); got.Err != nil || got.Response.Status != OK || len(got.Response.Pulled.Records) != MaxPage {
			t.Errorf("%v, status %d %s, want the page", got.Err, got.Response.Status, got.Response.Detail)
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

// Large requests wait for their turn with the asker, and are never refused by a node for coming all at once.
func TestMoreBytesThanANodeMayHold(t *testing.T) {
	const value, requests = 100 << 10, 50
	synctest.Test(t, func(t *testing.T) {
		w, h := newNetwork(), newHeld()
		w.startNode(t, "n1", "a:1", ServerOptions{MaxValue: value, MaxBytes: 1}, h) // raised to 4 values
		p := w.startPool(t, PoolOptions{MaxValue: value, Window: 3 * value})
		to := make(chan Reply, requests)
		for range cap(to) {
			p.Send("n1", "a:1", writeOf("key", strings.Repeat("v", value)), time.Now().Add(time.Minute), to)
		}
		for range requests {
			synctest.Wait()
			if held := len(h.owed); held < 1 || held > 3 {
				t.Fatalf("the node holds %d requests, want 1 to 3", held)
			}
			(<-h.owed)(Response{Status: OK})
		}
		for range requests {
			if got := <-to; got.Err != nil || got.Response.Status != OK {
				t.Errorf("%+v, want OK", got)
			}
		}
	})
}

// What waits for its turn until its deadline was never sent, and makes way for what comes behind it.
func TestRequestsThatWaitTooLong(t *testing.T) {
	const value = 100 << 10
	synctest.Test(t, func(t *testing.T) {
		w, h := newNetwork(), newHeld()
		w.startNode(t, "n1", "a:1", ServerOptions{MaxValue: value}, h)
		p := w.startPool(t, PoolOptions{MaxValue: value, Window: value})
		send := func(patience time.Duration) chan Reply {
			to := make(chan Reply, 1)
			p.Send("n1", "a:1", writeOf("key", strings.Repeat("v", value)), time.Now().Add(patience), to)
			return to
		}
		first, second, third := send(time.Second), send(500*time.Millisecond), send(time.Minute)
		if got := <-second; !errors.Is(got.Err, ErrNotSent) {
			t.Errorf("%v, want ErrNotSent", got.Err)
		}
		if got := <-first; !errors.Is(got.Err, ErrNoAnswer) {
			t.Errorf("%v, want ErrNoAnswer", got.Err)
		}
		synctest.Wait()
		if len(h.owed) != 2 {
			t.Fatalf("the node holds %d requests, want 2", len(h.owed))
		}
		(<-h.owed)(Response{Status: OK})
		(<-h.owed)(Response{Status: OK})
		if got := <-third; got.Err != nil {
			t.Error(got.Err)
		}
	})
}

// An asker that reads gets all that it asked for at once, however large.
func TestMoreAnswersThanANodeHolds(t *testing.T) {
	const value, requests = 100 << 10, 200
	synctest.Test(t, func(t *testing.T) {
		w := newNetwork()
		answer := Response{Status: OK, Record: writeOf("key", strings.Repeat("v", value)).Record}
		w.startNode(t, "n1", "a:1", ServerOptions{MaxValue: value, MaxBytes: 1}, handlerFunc(func(_ *Request, respond func(Response)) { respond(answer) }))
		p := w.startPool(t, PoolOptions{MaxValue: value})
		to := make(chan Reply, requests)
		for range cap(to) {
			p.Send("n1", "a:1", readOf("key"), time.Now().Add(time.Minute), to)
		}
		for range requests {
			if got := <-to; got.Err != nil || got.Response.Status != OK {
				t.Fatalf("%v %v, want OK", got.Err, got.Response.Status)
			}
		}
	})
}
