package replica_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/placement"
	"ringkv/node/replica"
	"ringkv/node/wire"
)

// damage changes what the disk of a node that is down holds, from the first place where it says text on.
func (s *street) damage(id, text string, change func(at []byte)) {
	s.t.Helper()
	d := s.houses[id].disk
	names, err := d.List()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasPrefix(name, "segment-") {
			continue
		}
		data := bytes.Clone(d.Bytes(name))
		if at := bytes.Index(data, []byte(text)); at >= 0 {
			change(data[at:])
			d.Put(name, data)
			return
		}
	}
	s.t.Fatalf("no segment of %s says %q", id, text)
}

// rot changes what the disk of a node that is up holds, where it says text.
func (s *street) rot(id, text string) {
	s.t.Helper()
	d := s.houses[id].disk
	for _, name := range d.Names() {
		if at := bytes.Index(d.Bytes(name), []byte(text)); at >= 0 && strings.HasPrefix(name, "segment-") {
			d.Flip(name, int64(at), 4)
			return
		}
	}
	s.t.Fatalf("no segment of %s says %q", id, text)
}

// wantNoLies checks that id answers a read with the value, or doesn't answer.
func (s *street) wantNoLies(id, key, value string) {
	s.t.Helper()
	resp := s.do(id, &wire.Request{Op: wire.OpRead, Config: s.config(key), Key: key})
	if resp.Status == wire.OK && string(resp.Record.Value) != value {
		s.t.Errorf("%s answers %q for %q, want %q or no answer", id, resp.Record.Value, key, value)
	}
}

// A bit of a value is flipped: it is never served, and fetched from the other owners.
func TestDamagedValueIsReplacedFromTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", onDisk)
		time.Sleep(10 * time.Second) // fake time
		for i := range 50 {
			s.write(fmt.Sprint("key", i), s.at(0), fmt.Sprint("value-", i, "."), "a", "b", onDisk)
		}
		s.kill(onDisk)
		s.damage(onDisk, "value-7.", func(at []byte) { at[2] ^= 4 })
		s.damage(onDisk, "value-8.", func(at []byte) { at[2] ^= 4 })
		s.write("key8", s.at(0), "newer", "a", "b")
		s.start(onDisk)
		time.Sleep(time.Second)
		s.wantNoLies(onDisk, "key7", "value-7.") // which is how it's noticed
		s.wantNoLies(onDisk, "key8", "newer")
		time.Sleep(59 * time.Second)
		s.wantHeld("key7", "value-7.", "a", "b", onDisk)
		s.wantHeld("key8", "newer", "a", "b", onDisk)
		s.wantSame("a", "b", onDisk)
		if n := s.houses[onDisk].store.Stats().Damaged; n == 0 {
			t.Error("nothing was damaged")
		}
	})
}

// What is damaged is replaced only when nobody uses an earlier answer of this node any more, and clocks differ by less: only then does the guard lie above all
// that this node may have promised. It isn't much later either, whenever that's noticed: until then this node has no answer.
func TestDamageWaitsForAnswersAndNoLonger(t *testing.T) {
	for after := 0 * time.Second; after <= 25*time.Second; after += 5 * time.Second { // longer than any round of comparisons
		t.Run(after.String(), func(t *testing.T) { testDamageWaits(t, after) })
	}
}

func testDamageWaits(t *testing.T, untilNoticed time.Duration) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", onDisk)
		time.Sleep(10 * time.Second) // fake time
		s.write("key7", s.at(0), "value-7.", "a", "b", onDisk)
		s.kill(onDisk)
		s.damage(onDisk, "value-7.", func(at []byte) { at[2] ^= 4 })
		s.start(onDisk)
		time.Sleep(untilNoticed)
		s.wantNoLies(onDisk, "key7", "value-7.")
		noticed := time.Now()
		for {
			h, held := s.houses[onDisk].store.Head("key7")
			if held && !h.Damaged {
				break
			}
			if time.Sleep(100 * time.Millisecond); time.Since(noticed) > 30*time.Second {
				t.Fatalf("it isn't replaced within %v", time.Since(noticed))
			}
		}
		if after := time.Since(noticed); after <= 20*time.Second {
			t.Errorf("it was replaced after %v, and answers may be in use for 10 s", after)
		}
	})
}

// While records are compared and pushed, nothing is replaced: what was read of a record must not reach others after a tombstone has taken its place here.
func TestMendingWaitsForTheComparisonUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", onDisk)
		time.Sleep(10 * time.Second) // fake time
		s.write("key7", s.at(0), "value-7.", "a", "b", onDisk)
		const longest = 4 * time.Second // of a push, well before its time is up
		var mu sync.Mutex               // guards the two
		var pushed, guarded time.Time
		s.interfere(func(from, to string, req *wire.Request) *wire.Response {
			switch {
			case to == onDisk && req.Op == wire.OpSlot: // who knows how the slots stand there would fetch what it lacks
				return &wire.Response{Status: wire.NotReady, Detail: "is cut off"}
			case from == onDisk && req.Op == wire.OpSync:
				time.Sleep(longest)
				mu.Lock()
				defer mu.Unlock()
				pushed = time.Now()
			case from == onDisk && req.Op == wire.OpGuard:
				mu.Lock()
				defer mu.Unlock()
				if guarded.IsZero() {
					guarded = time.Now()
				}
			}
			return nil
		})
		for i, written := 0, 0; written < 100; i++ { // 16 are pushed at a time, to two owners each
			if key := fmt.Sprint("pushed", i); hashring.SlotOf(key) == hashring.SlotOf("k") {
				s.write(key, s.at(0), "here", onDisk)
				written++
			}
		}
		for {
			mu.Lock()
			began := !pushed.IsZero()
			mu.Unlock()
			if began {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		s.rot(onDisk, "value-7.")
		s.wantNoLies(onDisk, "key7", "value-7.")
		noticed := time.Now()
		time.Sleep(2 * time.Minute)
		s.wantHeld("key7", "value-7.", "a", "b", onDisk)
		if lasted := pushed.Sub(noticed); lasted < 30*time.Second {
			t.Errorf("it was pushed for %v only: that says nothing", lasted)
		}
		if guarded.Before(pushed) {
			t.Errorf("mending began %v after the damage was noticed, while records were pushed until %v", guarded.Sub(noticed), pushed.Sub(noticed))
		}
	})
}

// A record is found damaged while its slot is on the move: the node can't settle the slot with it, and gets it from owners that have.
func TestDamageInASlotOnTheMoveIsRepaired(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", onDisk, "d")
		time.Sleep(10 * time.Second) // fake time
		for i := range 50 {
			s.write(fmt.Sprint("key", i), s.at(0), fmt.Sprint("value-", i, "."), "a", "b", onDisk)
		}
		s.kill(onDisk)
		s.forgetHints(onDisk)
		s.damage(onDisk, "value-7.", func(at []byte) { at[2] ^= 4 })
		s.move("a", onDisk, "d")
		s.start(onDisk)
		time.Sleep(60 * time.Second)
		s.wantHeld("key7", "value-7.", "a", "d", onDisk)
		s.wantSame("a", "d", onDisk)
		if state := s.houses[onDisk].SlotState(hashring.SlotOf("key7")); state != "settled" {
			t.Errorf("the slot is %s, want settled", state)
		}
	})
}

// A node that has found all its damage to be in slots that moved away looks again: they may come back.
func TestDamageInASlotThatComesBackIsRepaired(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", onDisk, "d")
		time.Sleep(10 * time.Second) // fake time
		for i := range 50 {
			s.write(fmt.Sprint("key", i), s.at(0), fmt.Sprint("value-", i, "."), "a", "b", onDisk)
		}
		s.kill(onDisk)
		s.kill("d") // so that nobody drops a copy
		s.forgetHints(onDisk)
		s.damage(onDisk, "value-7.", func(at []byte) { at[2] ^= 4 })
		s.move("a", "b", "d")
		s.start(onDisk)
		time.Sleep(60 * time.Second)
		s.move("a", "b", onDisk)
		time.Sleep(60 * time.Second)
		s.wantHeld("key7", "value-7.", "a", "b", onDisk)
	})
}

// The only owner that a slot is to have found its copy damaged: it doesn't take the slot over, so that the others keep theirs. That is so too where the other that
// holds the record doesn't answer, and the one that does is enough, and lacks it.
func TestSlotDoesNotMoveToItsDamageAlone(t *testing.T) {
	for _, holders := range [][]string{{"a", "b", onDisk}, {"a", onDisk}} {
		bubble(t, func(t *testing.T) {
			s := newStreet(t, replica.UpkeepOptions{Every: time.Hour}, "a", "b", onDisk)
			time.Sleep(10 * time.Second) // fake time
			s.write("key7", s.at(0), "value-7.", holders...)
			s.write("key8", s.at(0), "value-8.", "a", "b", onDisk)
			s.kill(onDisk)
			s.damage(onDisk, "value-7.", func(at []byte) { at[2] ^= 4 })
			s.forgetHints(onDisk)
			if len(holders) == 2 {
				s.kill("a")
			}
			s.start(onDisk)
			s.move(onDisk)
			time.Sleep(90 * time.Second)
			if !s.houses["a"].up {
				s.start("a")
			}
			time.Sleep(90 * time.Second)
			s.wantHeld("key7", "value-7.", "a")
			if _, unsettled := s.houses[onDisk].Slots(); unsettled != 1 {
				t.Errorf("%d slots aren't settled, want the damaged one", unsettled)
			}
		})
	}
}

// A node that always was a slot's only owner settles it with its damage: no other node has a copy that could be dropped.
func TestDamageOfASlotThatHadNoOtherOwnerKeepsNothingWaiting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", onDisk)
		time.Sleep(10 * time.Second) // fake time
		s.write("key7", s.at(0), "value-7.", "a", "b", onDisk)
		s.move(onDisk)
		time.Sleep(90 * time.Second)
		s.kill(onDisk)
		s.damage(onDisk, "value-7.", func(at []byte) { at[2] ^= 4 })
		s.forgetHints(onDisk)
		doc := *s.doc
		doc.Generation, doc.Log = doc.Generation+5, nil // all configs are new, as after a generation that Consul lost
		s.doc = &doc
		s.start(onDisk)
		time.Sleep(90 * time.Second)
		s.wantNoLies(onDisk, "key7", "value-7.")
		if _, unsettled := s.houses[onDisk].Slots(); unsettled != 0 || s.houses[onDisk].store.Stats().Damaged == 0 {
			t.Errorf("%d slots aren't settled, want none with some damage", unsettled)
		}
	})
}

// The way out where a slot is to move to its damage alone: other nodes take over all that is whole, and then the one with the damage is given up, which costs nothing.
func TestDamageOfASlotsOnlyOwnerIsGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", onDisk, "d")
		time.Sleep(10 * time.Second) // fake time
		s.write("key7", s.at(0), "value-7.", "a", "b", onDisk)
		s.write("key8", s.at(0), "value-8.", "a", "b", onDisk)
		s.kill(onDisk)
		s.damage(onDisk, "value-7.", func(at []byte) { at[2] ^= 4 })
		s.forgetHints(onDisk)
		s.start(onDisk)
		s.move(onDisk)
		time.Sleep(90 * time.Second)
		s.move("a", "b", "d")
		time.Sleep(90 * time.Second)
		if _, unsettled := s.houses["d"].Slots(); unsettled != 1 {
			t.Errorf("%d slots aren't settled, want the damaged one", unsettled)
		}
		s.kill(onDisk)
		doc, err := placement.NextLost(s.doc, nodesOf("a", "b", "d"), []string{onDisk + "/disk-" + onDisk}, "test")
		if err != nil {
			t.Fatal(err)
		}
		s.doc = doc
		s.look()
		time.Sleep(90 * time.Second)
		s.wantHeld("key7", "value-7.", "a", "b", "d")
		s.wantHeld("key8", "value-8.", "a", "b", "d")
	})
}

// What was acknowledged by this node alone is on its way to the others when it's damaged here. It may still arrive there, but
// nobody may count what this node has said of it.
func TestWriteThatWasLostHereCannotBecomeDecided(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", onDisk)
		time.Sleep(10 * time.Second) // fake time
		rec := s.record("k", s.at(0), "value-late.")
		s.write("k", rec.Version, "value-late.", onDisk)
		s.kill(onDisk)
		s.damage(onDisk, "value-late.", func(at []byte) { at[2] ^= 4 })
		s.start(onDisk)
		time.Sleep(time.Second)
		s.wantNoLies(onDisk, "k", "value-late.")
		time.Sleep(59 * time.Second)
		s.wantDeleted("k", onDisk)
		if resp := s.do("a", &wire.Request{Op: wire.OpWrite, Config: s.config("k"), Key: "k", Record: rec}); resp.Status != wire.Superseded {
			t.Errorf("the second copy of the write: %v, want superseded: the first one's is lost", resp.Status)
		}
	})
}

// A whole line is lost, so that nobody knows what it said: of any slot, this node may have promised something else, or held
// something newer. It says nothing until the others have told it what there is.
func TestSlotsInDoubtAreRestoredFromTheOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreetOf(t, replica.UpkeepOptions{}, nil, "a", "b", onDisk)
		time.Sleep(10 * time.Second) // fake time
		for i := range 50 {
			s.write(fmt.Sprint("key", i), s.at(0), fmt.Sprint("value-", i, "."), "a", "b", onDisk)
		}
		s.write("key7", s.at(0), "second.", "a", "b", onDisk)
		s.write("key9", s.at(0), "third.", "a", "b", onDisk)
		s.kill(onDisk)
		s.forgetHints(onDisk)
		s.damage(onDisk, `{"key":"key7","version":"`+s.versionOf("key7"), func(at []byte) {
			copy(at, strings.Repeat("#", bytes.IndexByte(at, '\n')))
		})
		s.write("key8", s.at(0), "newer", "a", "b")
		s.start(onDisk)
		doubtful := s.houses[onDisk].store.(interface{ Doubtful(int) bool }).Doubtful
		for i := range 90 {
			// Others may count for a while what it said before.
			if i < 20 && !doubtful(hashring.SlotOf("key7")) {
				t.Fatalf("nothing is in doubt %d s after the start", i)
			}
			time.Sleep(time.Second)
			s.wantNoLies(onDisk, "key7", "second.")
			s.wantNoLies(onDisk, "key8", "newer")
		}
		s.wantSame("a", "b", onDisk)
		s.wantHeld("key7", "second.", onDisk)
		s.wantHeld("key8", "newer", onDisk)
		if owned, unsettled := s.houses[onDisk].Slots(); owned != hashring.Slots || unsettled != 0 {
			t.Errorf("%d slots are owned and %d of them not settled, want all and none", owned, unsettled)
		}
		s.kill(onDisk)
		s.start(onDisk)
		time.Sleep(time.Second)
		s.wantHeld("key7", "second.", onDisk)
	})
}

// A node loses what it has promised, and is no owner any more when it comes back.
func TestSlotsInDoubtOfAFormerOwnerAreFreed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newStreet(t, replica.UpkeepOptions{}, "a", "b", onDisk, "c")
		time.Sleep(10 * time.Second) // fake time
		s.write("key7", s.at(0), "value-7.", "a", "b", onDisk)
		s.write("key8", s.at(0), "value-8.", "a", "b", onDisk)
		s.kill(onDisk)
		s.forgetHints(onDisk)
		s.damage(onDisk, `{"key":"key7"`, func(at []byte) { copy(at, strings.Repeat("#", bytes.IndexByte(at, '\n'))) })
		s.move("a", "b", "c")
		s.start(onDisk)
		time.Sleep(90 * time.Second)
		s.wantHeld("key7", "value-7.", "a", "b", "c")
		for _, key := range []string{"key7", "key8"} {
			if h, held := s.houses[onDisk].store.Head(key); held {
				t.Errorf("the former owner still holds %q: %+v", key, h)
			}
		}
	})
}

// forgetHints has the node that is down read all of its lines when it starts.
func (s *street) forgetHints(id string) {
	s.t.Helper()
	d := s.houses[id].disk
	names, err := d.List()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasPrefix(name, "hint-") {
			if err := d.Drop(name); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}

func (s *street) versionOf(key string) string {
	h, _ := s.houses["a"].store.Head(key)
	return h.Version.String()
}
