package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"ringkv/node/store/disk"
)

// A departure says in the data directory that the node leaves the cluster for good, so that a restart goes on with it.
type departure struct {
	Left bool `json:"left"` // all that it held is elsewhere
}

const departureName = "leaving.json"

// departing returns how far this node is in leaving; nil if it wasn't asked to.
func (s *storage) departing() (*departure, error) {
	if s.dir == nil {
		return nil, nil
	}
	text, err := disk.ReadFile(s.dir.Disk(), departureName, 1<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	d := new(departure)
	if err == nil {
		err = json.Unmarshal(text, d)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s, which says whether this node has left: %w", departureName, err)
	}
	return d, nil
}

// depart remembers d. The memory engine remembers nothing: each start is a new node.
func (s *storage) depart(d departure) error {
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
