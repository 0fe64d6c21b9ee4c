package wire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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
