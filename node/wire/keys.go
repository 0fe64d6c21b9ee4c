package wire

import "encoding/binary"

// checkKeys returns why the keys that req names can't be sent, nil if they can.
func (req *Request) checkKeys() error {
	switch {
	case req.Op != OpFetch:
		return nil
	case len(req.Keys) == 0:
		return errNoKeys
	case len(req.Keys) > MaxPage:
		return errTooManyKeys
	}
	for _, key := range req.Keys {
		if len(key) == 0 || len(key) > MaxKey {
			return errKeyLength
		}
	}
	return nil
}

func appendKeys(b []byte, keys []string) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(keys)))
	for _, key := range keys {
		b = appendShort16(b, key)
	}
	return b
}

// keys decodes what appendKeys appended. It shares no memory with the body.
func (c *cursor) keys() ([]string, error) {
	n := c.uint16()
	switch {
	case c.short:
		return nil, errMalformed
	case n == 0:
		return nil, errNoKeys
	case n > MaxPage:
		return nil, errTooManyKeys
	}
	keys := make([]string, n)
	for i := range keys {
		key := c.short16()
		switch {
		case c.short:
			return nil, errMalformed
		case len(key) == 0 || len(key) > MaxKey:
			return nil, errKeyLength
		}
		keys[i] = string(key)
	}
	return keys, nil
}
