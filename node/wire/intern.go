package wire

import (
	"encoding/binary"

	"ringkv/hashring/placement"
)

const (
	maxConfigs = 2048 // about two for each slot
	maxTypes   = 256
)

// An intern remembers the configs and content types that came over one connection, so that the same bytes yield the
// same value without an allocation. It is bounded: a full map is emptied. Not safe for concurrent use.
type intern struct {
	configs map[string]*placement.Config
	types   map[string]string
}

func newIntern() *intern {
	return &intern{configs: map[string]*placement.Config{}, types: map[string]string{}}
}

// config decodes what appendConfig appended, without its length. No bytes stand for nil.
func (in *intern) config(encoded []byte) (*placement.Config, error) {
	if len(encoded) == 0 {
		return nil, nil
	}
	if known, ok := in.configs[string(encoded)]; ok {
		return known, nil
	}
	config, err := decodeConfig(encoded)
	if err != nil {
		return nil, err
	}
	if len(in.configs) >= maxConfigs {
		clear(in.configs)
	}
	in.configs[string(encoded)] = config
	return config, nil
}

func (in *intern) contentType(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if known, ok := in.types[string(b)]; ok {
		return known
	}
	if len(in.types) >= maxTypes {
		clear(in.types)
	}
	own := string(b)
	in.types[own] = own
	return own
}

func decodeConfig(encoded []byte) (*placement.Config, error) {
	c := cursor{rest: encoded}
	config := &placement.Config{Generation: c.uint64()}
	owners := int(c.uint8())
	if owners > MaxOwners {
		return nil, errTooManyOwners
	}
	config.Owners = make([]string, owners)
	for i := range config.Owners {
		id := c.take(int(c.uint8()))
		if len(id) > MaxNodeID {
			return nil, errNodeIDTooLong
		}
		config.Owners[i] = string(id)
	}
	if c.short || len(c.rest) > 0 {
		return nil, errMalformed
	}
	return config, nil
}

// appendConfig appends the length of config's encoding, and the encoding. nil has no bytes.
func appendConfig(b []byte, config *placement.Config) []byte {
	if config == nil {
		return append(b, 0, 0)
	}
	start := len(b)
	b = append(b, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, config.Generation)
	b = append(b, byte(len(config.Owners)))
	for _, id := range config.Owners {
		b = append(b, byte(len(id)))
		b = append(b, id...)
	}
	binary.LittleEndian.PutUint16(b[start:], uint16(len(b)-start-2))
	return b
}
