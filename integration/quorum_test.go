//go:build integration

package integration

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"ringkv/hashring"
)

// Two nodes die at once: those slots of which they are two of three owners stand still, and say for whom they wait, also once the
// placement goes on without the two. The rest is served. When they are back, everything is there.
func twoNodesDie(t *testing.T, c *Cluster) {
	victims, n := lastTwo(c.Nodes()), len(c.Nodes())
	l := c.StartLoad(t, steady, "g1", "g2")
	key := c.keyOf(t, l, victims)
	l.Fault("kill %v", victims)
	c.KillNode(t, victims[0])
	c.KillNode(t, victims[1])
	c.WaitRing(t, n-2)
	c.expectStandstill(t, key, victims)
	l.Continue(t, loadRate)
	eventually(t, rebalanceAfter+readyPatience, "the placement goes on without the two", func() error {
		ring, err := c.Ring(t, "g1")
		if err == nil && len(ring.Away) > 0 {
			err = fmt.Errorf("away: %v", ring.Away)
		}
		return err
	})
	c.expectStandstill(t, key, victims)
	l.Continue(t, loadRate)
	for _, id := range victims {
		c.StartNode(t, id)
	}
	c.WaitRing(t, n)
	c.waitSettled(t)
	if r := c.client.Get(t.Context(), c.Address(t, "g1"), key); r.Status != 200 {
		t.Errorf("GET of %q, whose slot stood still, = %v, want its value", key, r)
	}
	l.Continue(t, loadRate)
	l.Judge(t, whateverFails)
}

// Two nodes are lost with their disks. An operator is told what that costs, and then says so, and the slots go on with the copies that
// are left. Slots of which a majority is left lose nothing.
func twoNodesLost(t *testing.T, c *Cluster) {
	victims, n := lastTwo(c.Nodes()), len(c.Nodes())
	l := c.StartLoad(t, steady, "g1", "g2")
	l.Continue(t, loadRate)
	key, owners := c.keyOf(t, l, victims), c.slotOwners(t)
	short := map[int]bool{}
	for slot, of := range owners {
		short[slot] = slices.Contains(of, victims[0]) && slices.Contains(of, victims[1])
	}
	l.Fault("lose %v with their disks", victims)
	c.RemoveNode(t, victims[0])
	c.RemoveNode(t, victims[1])
	c.WaitRing(t, n-2)
	c.expectStandstill(t, key, victims)

	generation := c.Generation(t)
	c.awaitLosable(t, victims)
	dry := c.lose(t, "GET", 200, victims)
	if want := count(short); dry.Written || dry.Settled && (dry.Slots.Short != want || dry.Slots.Empty != 0 || dry.Slots.Whole != hashring.Slots-want) {
		t.Errorf("GET /lost of %v = %+v, want nothing written, and %d slots with one copy left", victims, dry, want)
	}
	c.expectStandstill(t, key, victims)
	if now := c.Generation(t); now > generation+1 { // the keeper may have gone on without them by itself
		t.Errorf("generation %d became %d by asking what a loss costs", generation, now)
	}
	if done := c.lose(t, "POST", 202, victims); !done.Written || done.Slots != dry.Slots {
		t.Errorf("POST /lost of %v = %+v, want it written, and what was said before: %+v", victims, done, dry)
	}
	eventually(t, readyPatience, fmt.Sprintf("%q is served again", key), func() error {
		if r := c.client.Get(t.Context(), c.Address(t, "g1"), key); r.Status != 200 && r.Status != 404 {
			return fmt.Errorf("GET: %v", r)
		}
		return nil
	})
	c.WaitRing(t, n-2)
	c.waitSettled(t)
	l.Continue(t, loadRate)
	whole := whateverFails
	whole.Of = func(key string) bool { return !short[hashring.SlotOf(key)] }
	l.Judge(t, whole)
}

func lastTwo(ids []string) []string { return ids[len(ids)-2:] }

func count(set map[int]bool) (n int) {
	for _, in := range set {
		if in {
			n++
		}
	}
	return n
}

// keyOf writes a key of which these are owners, and returns it.
func (c *Cluster) keyOf(t *testing.T, l *Load, owners []string) string {
	t.Helper()
	for i := range 1000 {
		key := fmt.Sprintf("%s/%d", t.Name(), i)
		of := c.OwnersOf(t, "g1", key)
		if slices.Contains(of, owners[0]) && slices.Contains(of, owners[1]) {
			if r := c.client.Put(t.Context(), c.Address(t, "g1"), key, "value"); r.Status != 200 {
				t.Fatalf("PUT %q = %v, want 200", key, r)
			}
			return key
		}
	}
	t.Fatalf("no key of a thousand is owned by %v", owners)
	return ""
}

// expectStandstill checks that a key can be neither read nor written, and that the answers name the nodes that are waited for: not each of them,
// as owners that have only just promised a placement may take longer than a request for saying so.
func (c *Cluster) expectStandstill(t *testing.T, key string, waited []string) {
	t.Helper()
	for what, ask := range map[string]func() Reply{
		"GET": func() Reply { return c.client.Get(t.Context(), c.Address(t, "g1"), key) },
		"PUT": func() Reply { return c.client.Put(t.Context(), c.Address(t, "g2"), key, "other") },
	} {
		eventually(t, readyPatience, what+" of a key with two dead owners names them", func() error {
			r := ask()
			if r.Status != 503 || r.Error != "quorum_unavailable" {
				t.Fatalf("%s of %q, which has two dead owners, = %v, want 503 quorum_unavailable", what, key, r)
			}
			if !strings.Contains(r.Text, waited[0]) || !strings.Contains(r.Text, waited[1]) {
				return fmt.Errorf("%s of %q = %v, want %v named", what, key, r, waited)
			}
			return nil
		})
	}
}

// A loss is what /lost says.
type loss struct {
	Lost    []string `json:"lost"`
	Settled bool     `json:"settled"`
	Written bool     `json:"written"`
	Detail  string   `json:"detail"`
	Slots   struct{ Whole, Short, Empty int }
}

// awaitLosable waits until n1 knows that these nodes are gone: until then it answers that they pass, and can't be given up. The gateways may have known
// a moment earlier, since each watches Consul for itself.
func (c *Cluster) awaitLosable(t *testing.T, ids []string) {
	t.Helper()
	eventually(t, readyPatience, fmt.Sprintf("n1 knows that %v are gone", ids), func() error {
		if r := c.askLost(t, "GET", ids); r.Status == 409 {
			return fmt.Errorf("GET /lost: %v", r)
		}
		return nil
	})
}

func (c *Cluster) askLost(t *testing.T, method string, ids []string) Reply {
	t.Helper()
	return c.client.Do(t.Context(), method, c.Address(t, "n1"), "/lost?"+url.Values{"node": ids}.Encode(), nil)
}

func (c *Cluster) lose(t *testing.T, method string, status int, ids []string) loss {
	t.Helper()
	r := c.askLost(t, method, ids)
	var answer struct{ Loss loss }
	if err := json.Unmarshal([]byte(r.Text), &answer); err != nil || r.Status != status || len(answer.Loss.Lost) != len(ids) {
		t.Fatalf("%s /lost of %v = %v (%v), want %d and what is lost", method, ids, r, err, status)
	}
	return answer.Loss
}
