package keeper

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/consul/api"

	"ringkv/hashring/following"
)

const (
	sessionTTL = 10 * time.Second // Consul's least; a dead holder is noticed within one to two of these
	lockDelay  = time.Millisecond // Consul's pause before a lost lock is given on: it guards nothing here
	lockWait   = 30 * time.Second // longest blocking query on the lock
	closeWait  = 2 * time.Second  // for giving it back: a program that ends doesn't wait for a Consul that is away
)

// LockKey returns where in Consul's KV the lock of a service's keeper stands.
func LockKey(service string) string { return "ringkv/" + service + "/keeper" }

// A ConsulLock is a Lock over a session and a key in Consul's KV
// (https://developer.hashicorp.com/consul/docs/dynamic-app-config/sessions).
type ConsulLock struct {
	client *api.Client
	key    string
	node   string // who asks for it, to be read in the UI
}

// NewConsulLock returns the lock at key for the node called node.
func NewConsulLock(client *api.Client, key, node string) *ConsulLock {
	return &ConsulLock{client: client, key: key, node: node}
}

// Hold implements Lock. A session exists only from when the lock looks free until it is given back.
func (l *ConsulLock) Hold(ctx context.Context, work func(context.Context)) (err error) {
	if err := l.waitFree(ctx); err != nil {
		return err
	}
	session, err := l.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close(ctx, session)) }()
	held, err := l.acquire(ctx, session)
	if err != nil {
		return err
	}
	if !held { // another was faster, or the lock's delay isn't over
		following.Pause(ctx, time.Second/2+rand.N(time.Second))
		return nil
	}
	return l.work(ctx, session, work)
}

// work calls work while session is renewed.
func (l *ConsulLock) work(ctx context.Context, session string, work func(context.Context)) error {
	held, lose := context.WithCancel(ctx)
	var renewing sync.WaitGroup
	var lost error
	renewing.Go(func() {
		defer lose()
		lost = l.renew(held, session)
	})
	work(held)
	lose()
	renewing.Wait()
	return lost
}

// renew keeps the session alive until ctx is done, which is no error, or until the lock may be lost.
func (l *ConsulLock) renew(ctx context.Context, session string) error {
	ticker := time.NewTicker(sessionTTL / 4)
	defer ticker.Stop()
	renewed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := l.renewOnce(ctx, session)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			renewed = time.Now()
		case errors.Is(err, errLost) || time.Since(renewed) >= sessionTTL*2/3:
			return fmt.Errorf("keeper's lock: %w", err)
		}
	}
}

var errLost = errors.New("the session or the lock is gone from Consul")

func (l *ConsulLock) renewOnce(ctx context.Context, session string) error {
	ctx, cancel := context.WithTimeout(ctx, sessionTTL/4)
	defer cancel()
	entry, _, err := l.client.Session().Renew(session, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return err
	}
	pair, _, err := l.client.KV().Get(l.key, (&api.QueryOptions{}).WithContext(ctx))
	if err != nil {
		return err
	}
	if entry == nil || pair == nil || pair.Session != session {
		return errLost
	}
	return nil
}

// waitFree returns when nobody holds the lock.
func (l *ConsulLock) waitFree(ctx context.Context) error {
	var index uint64
	for {
		pair, meta, err := l.look(ctx, index)
		if err != nil {
			return fmt.Errorf("wait for the keeper's lock: %w", err)
		}
		var news bool
		if index, news = following.Next(index, meta.LastIndex); news && (pair == nil || pair.Session == "") {
			return nil
		}
		following.Pause(ctx, time.Second/10) // bounds the rate, whatever the key does
	}
}

func (l *ConsulLock) look(ctx context.Context, index uint64) (*api.KVPair, *api.QueryMeta, error) {
	ctx, cancel := context.WithTimeout(ctx, lockWait+lockWait/16+callTimeout)
	defer cancel()
	return l.client.KV().Get(l.key, (&api.QueryOptions{WaitIndex: index, WaitTime: lockWait}).WithContext(ctx))
}

// open makes a session that lives by its TTL alone: a check that fails says nothing about who proposes.
func (l *ConsulLock) open(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	entry := &api.SessionEntry{Name: l.key + " " + l.node, TTL: sessionTTL.String(), LockDelay: lockDelay, Behavior: api.SessionBehaviorRelease}
	id, _, err := l.client.Session().CreateNoChecks(entry, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return "", fmt.Errorf("open a session for the keeper's lock: %w", err)
	}
	return id, nil
}

func (l *ConsulLock) acquire(ctx context.Context, session string) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	held, _, err := l.client.KV().Acquire(l.pair(session), (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return false, fmt.Errorf("acquire the keeper's lock: %w", err)
	}
	return held, nil
}

// close gives the lock back, even if ctx is done, so that the next keeper needn't wait for the session to run out.
func (l *ConsulLock) close(ctx context.Context, session string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	options := (&api.WriteOptions{}).WithContext(ctx)
	_, _, err := l.client.KV().Release(l.pair(session), options)
	if _, destroyErr := l.client.Session().Destroy(session, options); destroyErr != nil {
		err = errors.Join(err, destroyErr)
	}
	if err != nil {
		return fmt.Errorf("give back the keeper's lock: %w", err)
	}
	return nil
}

func (l *ConsulLock) pair(session string) *api.KVPair {
	return &api.KVPair{Key: l.key, Value: []byte(l.node), Session: session}
}
