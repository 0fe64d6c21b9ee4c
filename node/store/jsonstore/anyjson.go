package jsonstore

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"hash/crc32"

	"ringkv/node/record"
)

// lineJSON is a line for encoding/json.
type lineJSON struct {
	Key        *string         `json:"key"`
	KeyB64     []byte          `json:"key_base64"`
	Version    string          `json:"version"`
	Deleted    bool            `json:"deleted"`
	Derived    bool            `json:"derived"`
	Origin     string          `json:"origin"`
	Ballot     string          `json:"ballot"`
	Type       string          `json:"type"`
	TypeB64    []byte          `json:"type_base64"`
	Write      [3]uint64       `json:"write"`
	Head       string          `json:"head"`
	Value      *string         `json:"value"`
	ValueB64   []byte          `json:"value_base64"`
	Slot       *int            `json:"slot"`
	Repaired   bool            `json:"repaired"`
	Dropped    bool            `json:"dropped"`
	State      json.RawMessage `json:"state"`
	StateB64   []byte          `json:"state_base64"`
	CRC        string          `json:"crc"`
	Sealed     bool            `json:"sealed"`
	Lines      uint64          `json:"lines"`
	MaxVersion string          `json:"max_version"`
}

// decodeAny reads a line that isn't spelled as appendTo does.
func decodeAny(raw []byte) line {
	var j lineJSON
	if json.Unmarshal(raw, &j) != nil {
		return line{}
	}
	if j.Sealed {
		return decodeSealed(&j)
	}
	l := line{kind: kindRecord, deleted: j.Deleted, typ: either(&j.Type, j.TypeB64), value: either(j.Value, j.ValueB64)}
	l.place = place{j.Write[0], uint32(j.Write[1]), uint32(j.Write[2])}
	var ok bool
	switch {
	case j.Slot != nil && j.Repaired:
		l.kind, l.slot, ok = kindRepaired, *j.Slot, true
	case j.Slot != nil && j.Dropped:
		l.kind, l.slot, ok = kindDropped, *j.Slot, true
	case j.Slot != nil:
		l.kind, l.slot, l.value, ok = kindState, *j.Slot, append([]byte(j.State), j.StateB64...), true
	default:
		l.key, l.derived = either(j.Key, j.KeyB64), j.Derived
		ok = maybeVersion(j.Version, &l.version) && maybeVersion(j.Origin, &l.origin) && maybeVersion(j.Ballot, &l.ballot)
	}
	head := l.headSum(nil)
	l.headOK = ok && l.sane() && isSum(j.Head, head)
	l.ok = l.headOK && isSum(j.CRC, crc32.Update(head, castagnoli, l.value))
	return l
}

// maybeVersion reads a version that may be missing.
func maybeVersion(text string, v *record.Version) (ok bool) {
	if text == "" {
		return true
	}
	*v, ok = parseVersion([]byte(text))
	return ok
}

func either(text *string, encoded []byte) []byte {
	if text != nil && *text != "" {
		return []byte(*text)
	}
	return encoded
}

func isSum(text string, sum uint32) bool {
	return text == string(appendHex32(make([]byte, 0, 8), sum))
}

// unquote reads the inside of a JSON string by encoding/json.
func unquote(inside []byte) ([]byte, bool) {
	quoted := append(append([]byte{'"'}, inside...), '"')
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return nil, false
	}
	return []byte(s), true
}

func isOneJSON(b []byte) bool {
	return len(b) > 0 && bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') < 0 && json.Valid(b)
}

func appendBase64(b, s []byte) []byte { return base64.StdEncoding.AppendEncode(b, s) }
