package coordinator_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringkv/gateway/coordinator"
	"ringkv/hashring/placement"
	"ringkv/node/record"
	"ringkv/node/wire"
)

// scripted lets nodes answer the writes they get, one after the other, as a test says, and those behind as they would.
type scripted struct {
	*cluster
	mu      sync.Mutex // guards the rest
	answers map[string][]wire.Response
	sent    map[string]*wire.Request // by version
	last    *wire.Request
}

// Send implements coordinator.Peers. A response without a status stands for no answer. Nodes answer in the order of their names.
func (s *scripted) Send(id, addr string, req *wire.Request, deadline time.Time, to chan<- wire.Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.Op == wire.OpWrite {
		s.sent[req.Record.Version.String()], s.last = req, req
	}
	if req.Op != wire.OpWrite || len(s.answers[id]) == 0 {
		s.cluster.Send(id, addr, req, deadline, to)
		return
	}
	reply := wire.Reply{Node: id, Response: s.answers[id][0]}
	s.answers[id] = s.answers[id][1:]
	after := time.Duration(id[0]-'a'+1) * time.Millisecond
	if reply.Response.Status == 0 {
		reply.Err, after = fmt.Errorf("timed out: %w", wire.ErrNoAnswer), time.Until(deadline)
	}
	s.messages.Go(func() {
		time.Sleep(after) // fake time
		to <- reply
	})
}

// What a write comes to by the answers to its copies. Each row in which it is not tried again is one in which it may have been seen, or may yet be.
func TestWhatBecomesOfABeatenWrite(t *testing.T) {
	newer := record.Version{HLC: uint64(time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC).UnixMilli()) << 16, Writer: 7} // a second after fake time begins
	beaten := func(had wire.Had) wire.Response {
		return wire.Response{Status: wire.Superseded, Version: newer, Had: had}
	}
	var (
		ok, silence              = wire.Response{Status: wire.OK}, wire.Response{}
		never, accepted, unknown = beaten(wire.HadNever), beaten(wire.HadAccepted), beaten(wire.HadUnknown)
		full, notReady, moved    = wire.Response{Status: wire.Full}, wire.Response{Status: wire.NotReady}, wire.Response{Status: wire.Stale}
	)
	type answers = []wire.Response
	for name, row := range map[string]struct {
		writeQuorum int
		answers     []answers // of a, b, c, ...
		attempts    int
		want        error
		none        bool // the error says that nothing was stored anywhere
	}{
		"enough never held it":                             {2, []answers{{ok}, {never}, {never}}, 2, nil, false},
		"enough never held it, and one says nothing":       {2, []answers{{silence}, {never}, {never}}, 2, nil, false},
		"enough never held it, nor did the last":           {2, []answers{{never}, {never}, {never}}, 2, nil, false},
		"all refuse it, and none can tell":                 {2, []answers{{unknown}, {unknown}, {unknown}}, 2, nil, false},
		"one had accepted it, and another does":            {2, []answers{{ok}, {never}, {accepted}}, 1, nil, false},
		"one can't tell":                                   {2, []answers{{ok}, {never}, {unknown}}, 1, coordinator.ErrOutcomeUnknown, false},
		"one says nothing":                                 {2, []answers{{ok}, {never}, {silence}}, 1, coordinator.ErrOutcomeUnknown, false},
		"one can't tell, and may have it from another one": {2, []answers{{unknown}, {never}, {silence}}, 1, coordinator.ErrOutcomeUnknown, false},
		"so many of five never held it that W can't":       {4, []answers{{ok}, {ok}, {never}, {never}, {silence}}, 1, coordinator.ErrOutcomeUnknown, false},
		"a majority of five never held it":                 {3, []answers{{ok}, {ok}, {never}, {never}, {never}}, 2, nil, false},
		"copies in an earlier config are in doubt":         {2, []answers{{moved, ok}, {silence, never}, {silence, never}}, 1, coordinator.ErrOutcomeUnknown, false},
		"one is stored in an earlier config":               {2, []answers{{ok, ok}, {notReady, never}, {moved, never}}, 1, coordinator.ErrOutcomeUnknown, false},
		"all copies in an earlier config were refused":     {2, []answers{{notReady, ok}, {notReady, never}, {moved, never}}, 2, nil, false},
		"nothing is stored of either attempt":              {2, []answers{{unknown, full}, {unknown, full}, {unknown, full}}, 2, coordinator.ErrQuorumUnavailable, true},
		"the first attempt lies hidden somewhere":          {2, []answers{{ok, full}, {never, full}, {never, full}}, 2, coordinator.ErrQuorumUnavailable, false},
		"it is refused twice":                              {2, []answers{{ok, ok}, {never, never}, {never, never}}, 3, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ids := []string{"a", "b", "c", "d", "e"}[:len(row.answers)]
				s := &scripted{cluster: newCluster(t, 1, len(ids), ids...), answers: map[string][]wire.Response{}, sent: map[string]*wire.Request{}}
				config := s.view.Load().Config(s.view.Load().Slot("k"))
				later := &placement.Config{Generation: config.Generation + 1, Owners: config.Owners}
				for i, id := range ids {
					for _, resp := range row.answers[i] {
						if resp.Status == wire.Stale {
							resp.Config = later
						}
						s.answers[id] = append(s.answers[id], resp)
					}
				}
				clock := record.NewClock(time.Now, 1, 5*time.Second)
				co, err := coordinator.New(s.view.Load, s, clock, coordinator.Options{Replicas: len(ids), WriteQuorum: row.writeQuorum, Timeout: 500 * time.Millisecond})
				if err != nil {
					t.Fatal(err)
				}
				_, err = co.Put(t.Context(), "k", []byte("v"), "")
				if row.want == nil && err != nil || row.want != nil && err == nil {
					t.Errorf("Put = %v, want %v", err, row.want)
				} else if row.want != nil {
					wantError(t, err, row.want, row.none)
				}
				if len(s.sent) != row.attempts {
					t.Errorf("it was sent under %d versions, want %d", len(s.sent), row.attempts)
				}
				if again := row.attempts > 1; s.last.Queried != again || again && (!s.last.Record.Version.After(newer) || s.last.Base.Compare(newer) < 0) {
					t.Errorf("the last attempt, at %v and queried: %v, follows %v", s.last.Record.Version, s.last.Queried, s.last.Base)
				}
			})
		})
	}
}
