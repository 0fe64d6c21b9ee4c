package placement

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"ringkv/hashring"
)

// ErrMalformed is wrapped by every error about a document that breaks a rule of this package.
var ErrMalformed = errors.New("placement document is malformed")

// Limits of a document. Consul refuses values above 512 KiB.
const (
	MaxBytes = 512 << 10
	// MaxGeneration is the largest whole number that every reader of JSON keeps exact.
	MaxGeneration = 1<<53 - 1

	maxName     = 255
	maxReplicas = 255
	maxLog      = 128
	maxWhy      = 2048
)

// A Node is one member of the placement. ID and Disk together are its identity: the same id on another disk is another
// node, which holds nothing of what this one held.
type Node struct {
	ID     string `json:"id"`
	Weight int    `json:"weight"`
	Zone   string `json:"zone,omitempty"`
	Disk   string `json:"disk,omitempty"`
}

// An Entry is an earlier generation in a document's log.
type Entry struct {
	Generation uint64 `json:"generation"`
	Replicas   int    `json:"replicas,omitempty"` // 0: as in the document
	Nodes      []Node `json:"nodes"`
}

// A Document says which nodes should hold the data. It is immutable once made; use Next for the one that follows.
type Document struct {
	Generation uint64 `json:"generation"`
	Slots      int    `json:"slots"`
	Replicas   int    `json:"replicas"` // copies of each key; where there are fewer nodes, each holds all
	Why        string `json:"why,omitempty"`
	// Lost and Left are identities (see Identity) of nodes that are in no placement any more: gone for good, as an operator
	// says, or asked to leave.
	Lost  []string `json:"lost,omitempty"`
	Left  []string `json:"left,omitempty"`
	Nodes []Node   `json:"nodes"`         // sorted by id
	Log   []Entry  `json:"log,omitempty"` // earlier generations, newest first
}

// Parse reads a document. The error wraps ErrMalformed and names the rule that was broken.
func Parse(data []byte) (*Document, error) {
	if len(data) > MaxBytes {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrMalformed, len(data), MaxBytes)
	}
	var in struct {
		Document
		Generation *uint64 `json:"generation"` // a pointer, as a missing one must not read as 0
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if in.Generation == nil {
		return nil, fmt.Errorf("%w: no generation", ErrMalformed)
	}
	d := in.Document
	d.Generation = *in.Generation
	d.Log, d.Lost, d.Left = orNil(d.Log), orNil(d.Lost), orNil(d.Left)
	if err := d.Validate(); err != nil {
		return nil, err
	}
	return &d, nil
}

// orNil makes an empty list one that isn't there.
func orNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// Validate returns an error that wraps ErrMalformed if the document breaks a rule, one about its size excepted.
func (d *Document) Validate() error {
	switch {
	case d.Slots != hashring.Slots:
		return fmt.Errorf("%w: it has %d slots, this program has %d", ErrMalformed, d.Slots, hashring.Slots)
	case d.Replicas < 1 || d.Replicas > maxReplicas:
		return fmt.Errorf("%w: replicas is %d, must be 1 to %d", ErrMalformed, d.Replicas, maxReplicas)
	case d.Generation > MaxGeneration:
		return fmt.Errorf("%w: generation %d is above %d", ErrMalformed, d.Generation, uint64(MaxGeneration))
	case len(d.Why) > maxWhy || !utf8.ValidString(d.Why):
		return fmt.Errorf("%w: why is longer than %d bytes, or no UTF-8", ErrMalformed, maxWhy)
	}
	if err := checkNodes(d.Nodes); err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if err := d.checkDeparted(); err != nil {
		return err
	}
	return d.checkLog()
}

func (d *Document) checkLog() error {
	if len(d.Log) > maxLog {
		return fmt.Errorf("%w: log lists %d generations, at most %d are allowed", ErrMalformed, len(d.Log), maxLog)
	}
	above := d.Generation
	for _, e := range d.Log {
		if e.Generation >= above {
			return fmt.Errorf("%w: log lists generation %d after %d, must be newest first", ErrMalformed, e.Generation, above)
		}
		if e.Replicas < 0 || e.Replicas > maxReplicas {
			return fmt.Errorf("%w: replicas of generation %d is %d, must be 1 to %d", ErrMalformed, e.Generation, e.Replicas, maxReplicas)
		}
		if err := checkNodes(e.Nodes); err != nil {
			return fmt.Errorf("%w: generation %d: %w", ErrMalformed, e.Generation, err)
		}
		above = e.Generation
	}
	return nil
}

// checkNodes reports what is wrong with a list of nodes.
func checkNodes(nodes []Node) error {
	if len(nodes) == 0 {
		return errors.New("it lists no nodes")
	}
	for i, n := range nodes {
		if err := n.Validate(); err != nil {
			return err
		}
		if i > 0 && nodes[i-1].ID >= n.ID {
			return fmt.Errorf("node %q stands after %q: nodes must be sorted by id, each once", n.ID, nodes[i-1].ID)
		}
	}
	return nil
}

// Validate returns an error if n can't stand in a document.
func (n Node) Validate() error {
	if n.ID == "" {
		return errors.New("a node has no id")
	}
	if strings.Contains(n.ID, "/") {
		return fmt.Errorf("the id %.64q has a slash in it, which would make its identity ambiguous", n.ID)
	}
	for _, s := range []string{n.ID, n.Zone, n.Disk} {
		if !printable(s) {
			return fmt.Errorf("%q is longer than %d bytes or not printable text: no id, zone or disk of a node", s[:min(len(s), 64)], maxName)
		}
	}
	if n.Weight < 1 || n.Weight > hashring.MaxWeight {
		return fmt.Errorf("weight of %q is %d, must be 1 to %d", n.ID, n.Weight, hashring.MaxWeight)
	}
	return nil
}

func printable(s string) bool { return len(s) <= maxName && printableText(s) }

func printableText(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) })
}

// Node returns the node called id of the present generation.
func (d *Document) Node(id string) (Node, bool) { return find(d.Nodes, id) }

// Has reports whether id on that disk belongs to the present generation.
func (d *Document) Has(id, disk string) bool {
	n, ok := d.Node(id)
	return ok && n.Disk == disk
}

// Same reports whether d and o place data alike at the same generation; why and the log may differ.
func (d *Document) Same(o *Document) bool {
	return d.Generation == o.Generation && d.Replicas == o.Replicas && slices.Equal(d.Nodes, o.Nodes) &&
		slices.Equal(d.Lost, o.Lost) && slices.Equal(d.Left, o.Left)
}

func find(nodes []Node, id string) (Node, bool) {
	i, ok := slices.BinarySearchFunc(nodes, id, func(n Node, id string) int { return strings.Compare(n.ID, id) })
	if !ok {
		return Node{}, false
	}
	return nodes[i], true
}
