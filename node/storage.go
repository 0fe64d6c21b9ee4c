package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"ringkv/hashring/placement"
	"ringkv/node/store"
	"ringkv/node/store/datadir"
	"ringkv/node/store/disk"
	"ringkv/node/store/jsonstore"
	"ringkv/node/store/memstore"
)

// storage is what this node keeps, and who it is by that.
type storage struct {
	store.Store
	id     string
	diskID string       // random, made with the data directory
	dir    *datadir.Dir // nil for the memory engine
}

// openStorage opens the store. An empty id means the one in the data directory, or a new one.
func openStorage(cfg config, id string, log *slog.Logger) (*storage, error) {
	if cfg.store == "memory" {
		who := datadir.NewIdentity(id) // nothing is left of an earlier one
		return &storage{Store: memstore.Open(), id: who.Node, diskID: who.Disk}, nil
	}
	dir, err := datadir.Open(cfg.data, id)
	if err != nil {
		return nil, fmt.Errorf("open -data %s: %w", cfg.data, err)
	}
	who := dir.Identity()
	kept := &storage{id: who.Node, diskID: who.Disk, dir: dir}
	if err := kept.mayStart(cfg.data); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	options, err := faulty(jsonstore.Options{Node: who.Node, Disk: who.Disk, Log: log})
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	st, err := jsonstore.Open(dir.Disk(), options)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the store in -data %s: %w", cfg.data, err), dir.Close())
	}
	kept.Store = st
	return kept, nil
}

// Close closes the store, and then gives the directory free.
func (s *storage) Close() error {
	err := s.Store.Close()
	if s.dir != nil {
		err = errors.Join(err, s.dir.Close())
	}
	return err
}

// placementDisk is this node's disk as the placement names it: a fixed list knows none.
func (s *storage) placementDisk(cfg config) string {
	if len(cfg.nodes) > 0 {
		return ""
	}
	return s.diskID
}

// memory is where the last placement that was seen is remembered: nowhere without a disk.
func (s *storage) memory() placement.Memory {
	if s.dir == nil {
		return nil
	}
	return placementFile{s.dir.Disk()}
}

// placementFile is a placement.Memory in the data directory.
type placementFile struct{ disk disk.Disk }

const placementName = "placement.json"

// Load implements placement.Memory.
func (f placementFile) Load() (*placement.Document, error) {
	text, err := disk.ReadFile(f.disk, placementName, placement.MaxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return placement.Parse(text)
}

// Save implements placement.Memory.
func (f placementFile) Save(d *placement.Document) error {
	text, err := d.Encode()
	if err != nil {
		return err
	}
	return disk.WriteFile(f.disk, placementName, text)
}

// register adds the store's figures to the metrics.
func (s *storage) register(metrics *prometheus.Registry) {
	gauge := func(name, help string, value func(store.Stats) float64) {
		metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(s.Stats()) }))
	}
	gauge("ringkv_store_keys", "Keys that have a value here.", func(st store.Stats) float64 { return float64(st.Keys) })
	gauge("ringkv_store_tombstones", "Keys that are kept as deleted.", func(st store.Stats) float64 { return float64(st.Tombstones) })
	gauge("ringkv_store_live_bytes", "Bytes of the newest records.", func(st store.Stats) float64 { return float64(st.LiveBytes) })
	gauge("ringkv_store_disk_bytes", "Bytes on disk.", func(st store.Stats) float64 { return float64(st.DiskBytes) })
	gauge("ringkv_store_segments", "Files that records are kept in.", func(st store.Stats) float64 { return float64(st.Segments) })
	gauge("ringkv_store_damaged", "Records found damaged since the start.", func(st store.Stats) float64 { return float64(st.Damaged) })
	gauge("ringkv_store_doubtful_slots", "Slots of which something may have been lost to damage.", func(st store.Stats) float64 { return float64(st.Doubtful) })
}
