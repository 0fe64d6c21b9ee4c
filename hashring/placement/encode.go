package placement

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Encode writes the document as JSON that reads well in Consul's UI: a line for each node, and one for each earlier
// generation. The error wraps ErrMalformed if Parse would refuse the outcome.
func (d *Document) Encode() ([]byte, error) {
	if err := d.Validate(); err != nil {
		return nil, err
	}
	head, err := json.Marshal(&Document{Generation: d.Generation, Slots: d.Slots, Replicas: d.Replicas, Why: d.Why, Lost: d.Lost, Left: d.Left})
	if err != nil {
		return nil, fmt.Errorf("encode placement: %w", err)
	}
	b := bytes.NewBuffer(bytes.TrimSuffix(head, []byte(`"nodes":null}`)))
	b.WriteString("\n")
	if err := encodeLines(b, "nodes", d.Nodes); err != nil {
		return nil, err
	}
	if len(d.Log) > 0 {
		b.WriteString(",\n")
		if err := encodeLines(b, "log", d.Log); err != nil {
			return nil, err
		}
	}
	b.WriteString("}\n")
	if b.Len() > MaxBytes {
		return nil, fmt.Errorf("%w: %d nodes and %d earlier generations take %d bytes, at most %d are allowed",
			ErrMalformed, len(d.Nodes), len(d.Log), b.Len(), MaxBytes)
	}
	return b.Bytes(), nil
}

// encodeLines appends the member called name, an array with each item on a line of its own.
func encodeLines[T any](b *bytes.Buffer, name string, items []T) error {
	fmt.Fprintf(b, "%q:[", name)
	for i, item := range items {
		line, err := json.Marshal(item)
		if err != nil {
			return fmt.Errorf("encode placement: %w", err)
		}
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n ")
		b.Write(line)
	}
	b.WriteString("]")
	return nil
}
