package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// fits returns an error when the data of an earlier run asks for another number of nodes.
func (c config) fits() error {
	found, err := c.found()
	switch {
	case err != nil:
		return err
	case found > c.nodes:
		return fmt.Errorf("%s holds the data of %d nodes, and some keys may be on those that NODES=%d leaves out: run with NODES=%d, or begin anew with `make clean`",
			c.data, found, c.nodes, found)
	case found > 0 && min(found, defaultReplicas) != c.replicas():
		return fmt.Errorf("%s holds the data of NODES=%d, where each key is kept on %d, and that stays as it is: run with NODES=%d, or begin anew with `make clean`",
			c.data, found, found, found)
	}
	return nil
}

// found is how many nodes the data is of: the first port's and those up to the last that has a folder.
func (c config) found() (int, error) {
	entries, err := os.ReadDir(c.data)
	if err != nil {
		return 0, fmt.Errorf("look for the data of an earlier run: %w", err)
	}
	found := 0
	for _, entry := range entries {
		port, err := strconv.Atoi(entry.Name())
		if err == nil && entry.IsDir() && port >= c.nodePort && port < c.nodePort+mostNodes {
			found = max(found, port-c.nodePort+1)
		}
	}
	return found, nil
}

// dataOf is where the node on port keeps its data; as the node finds it by itself where -data is left alone.
func (c config) dataOf(port int) string { return filepath.Join(c.data, strconv.Itoa(port)) }
