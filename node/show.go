package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	edge "ringkv/gateway/api"
	"ringkv/hashring"
	"ringkv/node/api"
	"ringkv/node/departure"
	"ringkv/node/replica"
	"ringkv/node/store"
)

// node is what the routes show of this program, and the small loops that keep it right.
type node struct {
	cfg     config
	started time.Time
	kept    *storage
	data    *replica.Replica
	cluster *cluster
	leaver  *departure.Leaver
	broken  atomic.Pointer[string] // why the node can't serve
}

func (n *node) routes(requests edge.Coordinator, links http.Handler, metrics *prometheus.Registry, log *slog.Logger) api.Node {
	return api.Node{
		Coordinator: requests,
		Limits:      edge.Limits{MaxValue: int64(n.cfg.maxValue), MaxInflight: max(16<<20, int64(n.cfg.maxValue))},
		Registry:    metrics,
		Log:         log,
		Wire:        links,
		Health:      n.health,
		Status:      n.status,
		Local:       n.local,
		Is:          func(id, disk string) bool { return id == n.kept.id && disk == n.kept.diskID },
		Placement:   n.placement,
		Move:        n.move,
		Leave:       n.leave,
		Lose:        n.lose,
		Destroy:     kill,
		MayDestroy:  api.Access(n.cfg.destroy),
	}
}

func (n *node) health() api.Health {
	h := api.Health{State: edge.Ready, ID: n.kept.id, Version: version, Zone: n.cfg.zone, Store: n.cfg.store, AllSlots: hashring.Slots}
	h.Slots, _ = n.data.Slots()
	h.Leaving = n.leaver.At() != nil
	view, problem := n.cluster.source.View(), n.cluster.source.Problem()
	if view != nil {
		h.Members = len(view.Nodes())
	}
	switch broken := n.broken.Load(); {
	case n.cluster.draining.Load():
		h.State, h.Reason = edge.Draining, "this node is shutting down"
	case broken != nil:
		h.State, h.Reason = edge.Failed, *broken
	case n.cluster.lost(n.kept):
		h.State, h.Reason = edge.Failed, lostReason
	case view == nil && problem != nil: // it can serve nothing, and whoever looks at its check should see why
		h.State, h.Reason = edge.Starting, "the placement in Consul is not taken: "+problem.Error()
	default:
		h.Waits = n.cluster.source.Waits()
	}
	return h
}

// register adds what this node owns to the metrics.
func (n *node) register(metrics *prometheus.Registry) {
	slots := func(name, help string, value func(owned, unsettled int) int) {
		metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 {
			return float64(value(n.data.Slots()))
		}))
	}
	slots("ringkv_replica_slots", "Slots that this node is an owner of.", func(owned, _ int) int { return owned })
	slots("ringkv_replica_slots_unsettled", "Slots that this node owns and does not hold all of yet.", func(_, unsettled int) int { return unsettled })
}

func (n *node) local(key string) (api.Local, bool, error) {
	rec, slot, ok, err := n.data.Local(key)
	return api.Local{Record: rec, Slot: slot, State: n.data.SlotState(slot)}, ok, err
}

func (n *node) placement() ([]byte, bool) {
	doc := n.cluster.document()
	if doc == nil {
		return nil, false
	}
	text, err := doc.Encode()
	return text, err == nil
}

func (n *node) status() any {
	type ring struct {
		Generation uint64 `json:"generation"`
		Passing    int    `json:"passing"`
		Away       int    `json:"away"`
	}
	stats, health := n.kept.Stats(), n.health()
	if health.Waits != "" {
		health.State = edge.Starting
	}
	owned, unsettled := n.data.Slots()
	out := struct {
		ID             string             `json:"id"`
		Disk           string             `json:"disk"`
		Version        string             `json:"version"`
		Zone           string             `json:"zone,omitempty"`
		State          string             `json:"state"`
		Uptime         float64            `json:"uptime_seconds"`
		Store          string             `json:"store"`
		Keys           int                `json:"keys"`
		Tombstones     int                `json:"tombstones"`
		Bytes          int64              `json:"bytes"`
		DiskBytes      int64              `json:"disk_bytes"`
		Segments       int                `json:"segments"`
		Damaged        int                `json:"damaged"`
		SlotsOwned     int                `json:"slots_owned"`
		SlotsUnsettled int                `json:"slots_unsettled"`
		Ring           *ring              `json:"ring"`
		Move           any                `json:"move"`              // how far this node has come with the placement; null while it knows none
		Leaving        *departure.Leaving `json:"leaving,omitempty"` // how far it has come in leaving for good
		Keeper         bool               `json:"keeper"`            // this node changes the placement when that is due
		Waiting        string             `json:"waiting,omitempty"` // why it doesn't, though it is due
		LastContact    *time.Time         `json:"last_contact"`      // with Consul, or with the nodes of a fixed list; null if never
	}{
		ID: n.kept.id, Disk: n.kept.diskID, Version: version, Zone: n.cfg.zone, State: string(health.State),
		Uptime: time.Since(n.started).Seconds(), Store: n.cfg.store, Keys: stats.Keys, Tombstones: stats.Tombstones,
		Bytes: stats.LiveBytes, DiskBytes: stats.DiskBytes, Segments: stats.Segments, Damaged: stats.Damaged,
		SlotsOwned: owned, SlotsUnsettled: unsettled,
		Leaving: n.leaver.At(),
	}
	if move, ok := n.move(); ok {
		out.Move = move
	}
	if n.cluster.keeper != nil {
		keeping := n.cluster.keeper.Status()
		out.Keeper, out.Waiting = keeping.Holding, keeping.Waiting
	}
	if at := n.cluster.source.Members.LastContact(); !at.IsZero() {
		out.LastContact = &at
	}
	if view := n.cluster.source.View(); view != nil {
		out.Ring = &ring{view.Generation(), len(view.Nodes()), len(view.Away())}
	}
	return out
}

// Every diskInterval the node makes a tiny real write; one that fails, or takes longer than diskPatience, makes the node critical. A stuck
// disk is noticed no other way, and costs others more than a dead node.
const (
	diskInterval = 2 * time.Second
	diskPatience = 3 * time.Second
)

func (n *node) watchDisk(ctx context.Context, log *slog.Logger) error {
	ticker := time.NewTicker(diskInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := checkDisk(ctx, n.kept); err != nil && ctx.Err() == nil {
			reason := "the disk does not work: " + err.Error()
			if old := n.broken.Swap(&reason); old == nil || *old != reason {
				log.Error("node leaves the ring", "reason", reason)
			}
			n.cluster.fail(reason)
		} else if n.broken.Swap(nil) != nil {
			log.Info("the disk works again, node is back")
			n.cluster.fail("")
		}
	}
}

// checkDisk waits for the disk no longer than its patience lasts; of a sync that fails later than that, the next call tells. A full disk is
// no reason to leave the ring: it answers, it refuses writes clearly, and what it holds is to be read. Disks of one cluster tend to
// run full together.
func checkDisk(ctx context.Context, s store.Store) error {
	ctx, cancel := context.WithTimeout(ctx, diskPatience)
	defer cancel()
	err := s.Check(ctx)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return nil
	}
	return err
}
