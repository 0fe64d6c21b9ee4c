package jsonstore

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"ringkv/node/store/disk/faulty"
)

// TestRefusesFilesThatAreNotItsOwn does to a directory what people and restored copies do.
func TestRefusesFilesThatAreNotItsOwn(t *testing.T) {
	drop := func(t *testing.T, d *faulty.Disk, names ...string) {
		t.Helper()
		for _, name := range names {
			if err := d.Drop(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		what  string
		hurt  func(t *testing.T, d *faulty.Disk, segments []string)
		wants error
	}{
		{"first segment missing", func(t *testing.T, d *faulty.Disk, s []string) { drop(t, d, s[0]) }, ErrMissing},
		{"middle segment missing", func(t *testing.T, d *faulty.Disk, s []string) { drop(t, d, s[1]) }, ErrMissing},
		{"last segment missing", func(t *testing.T, d *faulty.Disk, s []string) { drop(t, d, s[len(s)-1]) }, ErrMissing},
		{"all segments missing", func(t *testing.T, d *faulty.Disk, s []string) { drop(t, d, s...) }, ErrMissing},
		{"last segment empty", func(_ *testing.T, d *faulty.Disk, s []string) { d.Put(s[len(s)-1], nil) }, ErrMissing},
		{"segments swapped", func(_ *testing.T, d *faulty.Disk, s []string) {
			a, b := d.Bytes(s[0]), d.Bytes(s[1])
			d.Put(s[0], b)
			d.Put(s[1], a)
		}, ErrForeign},
		{"another node's segment", func(_ *testing.T, d *faulty.Disk, s []string) {
			d.Put(s[1], ofAnotherNode(t, d.Bytes(s[1])))
		}, ErrForeign},
		{"last segment shorter than its hint knows", func(_ *testing.T, d *faulty.Disk, s []string) {
			last := d.Bytes(s[len(s)-1])
			d.Put(s[len(s)-1], last[:bytes.LastIndexByte(last[:len(last)-1], '\n')+1])
		}, ErrMissing},
		{"a later format", func(_ *testing.T, d *faulty.Disk, s []string) {
			d.Put(s[0], bytes.Replace(d.Bytes(s[0]), []byte(`"format":2`), []byte(`"format":3`), 1))
		}, ErrNewer},
	} {
		t.Run(c.what, func(t *testing.T) {
			d, r, _ := filled(t, true)
			segments := slices.DeleteFunc(names(t, d), func(n string) bool { return !strings.HasPrefix(n, "segment-") })
			c.hurt(t, d, segments)
			before := names(t, d)
			if _, err := Open(d, r.options); !errors.Is(err, c.wants) {
				t.Fatalf("Open: %v, want %v", err, c.wants)
			}
			if after := names(t, d); !slices.Equal(after, before) {
				t.Errorf("a refused directory was changed: %v, before %v", after, before)
			}
		})
	}
}

func ofAnotherNode(t *testing.T, segment []byte) []byte {
	t.Helper()
	raw, rest, _ := bytes.Cut(segment, []byte{'\n'})
	h, ok := decodeHeader(raw)
	if !ok {
		t.Fatal("no header")
	}
	h.Disk = "another"
	h.CRC = h.sum()
	line, err := jsonLine(h)
	if err != nil {
		t.Fatal(err)
	}
	return append(line, rest...)
}

// TestMakesUpForMissingHints opens without hint files, with those of other segments, and with garbage in them.
func TestMakesUpForMissingHints(t *testing.T) {
	d, r, _ := filled(t, true)
	var hints []string
	for _, name := range names(t, d) {
		if strings.HasPrefix(name, "hint-") {
			hints = append(hints, name)
		}
	}
	for what, hurt := range map[string]func(d *faulty.Disk, name string) error{
		"missing": func(d *faulty.Disk, name string) error { return d.Drop(name) },
		"empty":   func(d *faulty.Disk, name string) error { d.Put(name, nil); return nil },
		"garbage": func(d *faulty.Disk, name string) error { d.Put(name, garbage(1, 999)); return nil },
		"swapped": func(d *faulty.Disk, name string) error { d.Put(name, d.Bytes(hints[0])); return nil },
	} {
		c := d.Clone()
		for _, name := range slices.Backward(hints) {
			if err := hurt(c, name); err != nil {
				t.Fatal(err)
			}
		}
		verify(t, c, r.options, []content{r.acked}, what)
	}
}
