package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringkv/gateway/api"
	"ringkv/gateway/coordinator"
	"ringkv/hashring"
	"ringkv/hashring/placement"
)

// gateway is what the routes show of this program.
type gateway struct {
	cfg      config
	id       string
	started  time.Time
	source   *placement.Source
	moves    *moves
	draining atomic.Bool
}

func (g *gateway) routes(requests *coordinator.Coordinator, metrics *prometheus.Registry, log *slog.Logger) api.Gateway {
	return api.Gateway{
		Coordinator: requests,
		Limits:      api.Limits{MaxValue: int64(g.cfg.maxValue), MaxInflight: int64(g.cfg.maxInflight)},
		Registry:    metrics,
		Log:         log,
		Ring:        g.ring,
		Owners:      g.owners,
		Health:      g.health,
		Status:      g.status,
		Waits:       g.waits,
	}
}

func (g *gateway) ring(ctx context.Context) (api.Ring, bool) {
	view := g.source.View()
	if view == nil {
		return api.Ring{}, false
	}
	doc := view.Document()
	r := api.Ring{
		Generation: doc.Generation, Age: g.source.Age(time.Now()).Seconds(), Replicas: doc.Replicas, Slots: doc.Slots,
		Nodes: []api.RingNode{}, Away: []api.AwayNode{}, Joining: []api.RingNode{}, Lost: doc.Lost,
		Move: g.moves.of(ctx, view),
	}
	for _, n := range view.Nodes() {
		r.Nodes = append(r.Nodes, api.RingNode{ID: n.ID, Address: n.Addr, Zone: n.Zone, Weight: n.Weight, Slots: n.Slots, Share: n.Share})
	}
	for _, n := range view.Away() {
		r.Away = append(r.Away, api.AwayNode{ID: n.ID, Zone: n.Zone, Weight: n.Weight, Slots: n.Slots, Since: n.Since.UTC().Format(time.RFC3339)})
	}
	for _, m := range view.Joining() {
		r.Joining = append(r.Joining, api.RingNode{ID: m.ID, Address: m.Addr, Zone: m.Zone, Weight: m.Weight})
	}
	return r, true
}

func (g *gateway) owners(key string) (api.KeyOwners, bool) {
	view := g.source.View()
	if view == nil {
		return api.KeyOwners{}, false
	}
	slot := view.Slot(key)
	k := api.KeyOwners{Key: key, Slot: slot, Generation: view.Config(slot).Generation}
	for _, o := range view.Owners(slot) {
		shown := api.KeyOwner{ID: o.ID, Passing: o.Passing}
		if o.Passing {
			shown.Address = o.Addr
		}
		k.Owners = append(k.Owners, shown)
	}
	return k, true
}

// waits says what stands in the way of serving.
func (g *gateway) waits() []string {
	if g.draining.Load() {
		return []string{"this gateway is shutting down"}
	}
	if why := g.source.Waits(); why != "" {
		return []string{why}
	}
	return nil
}

func (g *gateway) health() api.HealthPage {
	page := api.HealthPage{ID: g.id, State: api.Ready}
	if w := g.waits(); len(w) > 0 {
		page.State, page.Reason = api.Starting, w[0]
	}
	if g.draining.Load() {
		page.State = api.Draining
	}
	page.Lines = append(page.Lines, fmt.Sprintf("gateway: %s  version: %s", g.id, version))
	if view := g.source.View(); view != nil {
		page.Lines = append(page.Lines, fmt.Sprintf("ring: nodes=%d of %d  slots=%d", len(view.Nodes()), len(view.Document().Nodes), hashring.Slots))
	}
	return page
}

func (g *gateway) status() any {
	type ring struct {
		Generation uint64 `json:"generation"`
		Passing    int    `json:"passing"`
		Away       int    `json:"away"`
	}
	out := struct {
		ID          string     `json:"id"`
		Version     string     `json:"version"`
		Uptime      float64    `json:"uptime_seconds"`
		Ring        *ring      `json:"ring"`
		LastContact *time.Time `json:"last_contact"` // with Consul, or with the nodes of a fixed list; null if never
		Replicas    int        `json:"replicas"`
		WriteQuorum int        `json:"write_quorum"`
		ReadQuorum  int        `json:"read_quorum"`
	}{
		ID: g.id, Version: version, Uptime: time.Since(g.started).Seconds(),
		Replicas: g.cfg.replicas, WriteQuorum: g.cfg.writeQuorum, ReadQuorum: g.cfg.readQuorum,
	}
	if at := g.source.Members.LastContact(); !at.IsZero() {
		out.LastContact = &at
	}
	if view := g.source.View(); view != nil {
		out.Ring = &ring{view.Generation(), len(view.Nodes()), len(view.Away())}
	}
	return out
}
