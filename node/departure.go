package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"ringkv/node/departure"
	"ringkv/node/store/disk"
)

// A departing says in the data directory that the node leaves the cluster for good, so that a restart goes on with it.
type departing struct {
	Left bool `json:"left"` // all that it held is elsewhere
}

const departureName = "leaving.json"

// departing returns how far this node is in leaving; nil if it wasn't asked to.
func (s *storage) departing() (*departing, error) {
	if s.dir == nil {
		return nil, nil
	}
	text, err := disk.ReadFile(s.dir.Disk(), departureName, 1<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	d := new(departing)
	if err == nil {
		err = json.Unmarshal(text, d)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s, which says whether this node has left: %w", departureName, err)
	}
	return d, nil
}

// leaver returns what takes this node out of the cluster; one that was asked before a restart goes on.
func (s *storage) leaver(c *cluster, log *slog.Logger) (*departure.Leaver, error) {
	before, err := s.departing()
	if err != nil {
		return nil, err
	}
	o := departure.Options{
		ID: s.id, Disk: s.diskID, Asked: before != nil, Log: log,
		Remember: func(left bool) error { return s.depart(departing{Left: left}) },
		Document: c.document, Members: c.source.Members.Snapshot,
	}
	if c.keeper != nil {
		o.Leave, o.Progress = c.keeper.Leave, c.peers.progress
	}
	return departure.New(o), nil
}

// depart remembers d. The memory engine remembers nothing: each start is a new node.
func (s *storage) depart(d departing) error {
	if s.dir == nil {
		return nil
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return disk.WriteFile(s.dir.Disk(), departureName, append(text, '\n'))
}

// mayStart returns an error if the node of this data directory has left.
func (s *storage) mayStart(data string) error {
	d, err := s.departing()
	if err == nil && d != nil && d.Left {
		err = fmt.Errorf("the node of -data %s has left its cluster for good, and the others hold all that it held: to start a node here again, remove that directory; it then joins as a new one", data)
	}
	return err
}
