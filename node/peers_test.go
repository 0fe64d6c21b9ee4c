package main

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/node/wire"
)

// stuck is a node whose disk says nothing until it is released.
type stuck chan struct{}

func (s stuck) Handle(_ *wire.Request, respond func(wire.Response)) {
	<-s
	respond(wire.Response{Status: wire.OK})
}

// TestOwnDiskHoldsNobodyUp: the coordinator asks others when an answer is slow to come, which it can't while it waits for this node to be asked.
func TestOwnDiskHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := make(stuck)
		p := &peers{here: "a", data: disk}
		replies := make(chan wire.Reply, maxOwnReads+1)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for range maxOwnReads + 1 {
				p.Send("a", "", &wire.Request{Op: wire.OpRead, Key: "k"}, time.Now().Add(time.Second), replies)
			}
		}()
		synctest.Wait()
		select {
		case <-sent:
		default:
			t.Error("Send waits for the disk, want it to return at once")
		}
		if len(replies) != 1 {
			t.Errorf("%d reads were answered, want the one that was too many", len(replies))
		} else if r := <-replies; r.Node != "a" || !errors.Is(r.Err, wire.ErrNotSent) {
			t.Errorf("the one that was too many got %+v", r)
		}
		waited := make(chan struct{})
		go func() { p.wait(); close(waited) }()
		synctest.Wait()
		select {
		case <-waited:
			t.Error("the store would be closed while reads are under way")
		default:
		}
		close(disk)
		for range maxOwnReads {
			if r := <-replies; r.Node != "a" || r.Err != nil || r.Response.Status != wire.OK {
				t.Fatalf("the reply is %+v", r)
			}
		}
		<-waited
		if n := p.reads.Load(); n != 0 {
			t.Errorf("%d reads are under way, want none", n)
		}
	})
}
