package jsonstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"ringkv/node/store"
	"ringkv/node/store/disk"
)

const probeName = "check"

// A probe finds out whether the disk still answers, with a file of its own.
type probe struct {
	disk  disk.Disk
	mu    sync.Mutex // guards what follows
	busy  bool       // a call is with the disk
	calls sync.WaitGroup
	file  disk.File
}

var errBusy = errors.New("the disk hasn't answered the last check yet")

// Check implements store.Store. A sync that fails here fails the store, even if it does so only after Check has given up on it: it is the same disk.
func (s *Store) Check(ctx context.Context) error {
	if err := s.mayWork(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if !s.probe.begin() {
		return errBusy
	}
	answer := make(chan error, 1)
	go func() {
		err := s.judgeCheck(s.probe.write())
		s.probe.end() // after the store has failed, if it has: no other Check may sync that file again
		answer <- err
	}()
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return fmt.Errorf("check the disk: %w", ctx.Err())
	}
}

func (s *Store) judgeCheck(err error) error {
	var sync *disk.SyncError
	switch {
	case errors.As(err, &sync):
		return s.fail("check the disk", err)
	case err != nil:
		return fmt.Errorf("check the disk: %w: %w", store.ErrFull, err)
	}
	return nil
}

func (p *probe) begin() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy {
		return false
	}
	p.busy = true
	p.calls.Add(1)
	return true
}

func (p *probe) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy = false
	p.calls.Done()
}

// write writes and syncs a few bytes. It is called by one goroutine at a time.
func (p *probe) write() error {
	if p.file == nil {
		f, err := p.disk.Open(probeName)
		if errors.Is(err, fs.ErrNotExist) {
			f, err = p.disk.Create(probeName)
		}
		if err != nil {
			return err
		}
		p.file = f
	}
	if _, err := p.file.WriteAt([]byte("ok\n"), 0); err != nil {
		return err
	}
	if err := p.file.Sync(); err != nil {
		return &disk.SyncError{Err: err}
	}
	return nil
}

// close waits for the call under way.
func (p *probe) close() error {
	p.calls.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}
