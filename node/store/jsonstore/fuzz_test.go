package jsonstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"ringkv/hashring"
	"ringkv/node/record"
	"ringkv/node/store"
	"ringkv/node/store/disk/faulty"
)

// FuzzRecordLine writes a record as a line, which encoding/json must read as the same, and reads it back in both ways.
func FuzzRecordLine(f *testing.F) {
	f.Add("key", "text/plain", []byte("value"), uint64(1), uint64(2), false, false, uint64(0), uint64(0))
	f.Add("k\"\\\n", "\xff", []byte{0, 1, 255}, uint64(1<<63), uint64(0), false, true, uint64(1), uint64(0))
	f.Add("é\u2028😀", "", []byte(`{"a":"\u0041\\"}`), uint64(0), uint64(1), true, false, uint64(0), uint64(3))
	f.Add("k", "", []byte{}, uint64(0), uint64(0), false, false, uint64(0), uint64(3))
	f.Add("k", "text", []byte("v"), uint64(0), uint64(0), false, true, uint64(2), uint64(3))
	f.Fuzz(func(t *testing.T, key, typ string, value []byte, hlc, writer uint64, deleted, derived bool, origin, ballot uint64) {
		r := record.Record{
			Key: key, Version: record.Version{HLC: hlc, Writer: writer}, Deleted: deleted, Type: typ, Value: value,
			Derived: derived, Origin: record.Version{HLC: origin, Writer: origin / 3}, Ballot: record.Version{HLC: ballot / 2, Writer: ballot},
		}
		want := recordLine(r, place{7, 1, 2})
		raw := want.appendTo(nil)
		if bytes.IndexByte(raw, '\n') != len(raw)-1 {
			t.Fatalf("not one line: %q", raw)
		}
		raw = raw[:len(raw)-1]
		var fields map[string]any
		if err := json.Unmarshal(raw, &fields); err != nil {
			t.Fatalf("not JSON: %v: %q", err, raw)
		}
		if text, ok := fields["key"]; ok && text != key || !ok && utf8.ValidString(key) && strings.IndexFunc(key, isControl) < 0 {
			t.Fatalf("encoding/json reads the key %q as %q", key, text)
		}
		if text, ok := fields["value"]; ok && text != string(value) {
			t.Fatalf("encoding/json reads the value %q as %q", value, text)
		}
		spelled, err := json.Marshal(fields) // other order, other spacing, other escapes
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []line{decodeOwn(raw, nil), decodeAny(raw), decodeLine(spelled, nil)} {
			if !got.ok || string(got.key) != key || got.version != want.version || got.deleted != deleted || got.place != want.place ||
				got.derived != derived || got.origin != r.Origin || got.ballot != r.Ballot ||
				!bytes.Equal(got.typ, want.typ) || !bytes.Equal(got.value, want.value) {
				t.Fatalf("%q is read as %+v, want %+v", raw, got, want)
			}
		}
	})
}

func isControl(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' }

// FuzzDamagedLine changes a line anywhere: it must be read as what it was, or not be believed.
func FuzzDamagedLine(f *testing.F) {
	f.Add(uint16(0), byte(1))
	f.Add(uint16(100), byte(0x80))
	want := recordLine(benchRecord(1), place{812, 3, 64})
	whole := want.appendTo(nil)
	whole = whole[:len(whole)-1]
	f.Fuzz(func(t *testing.T, at uint16, change byte) {
		raw := bytes.Clone(whole)
		raw[int(at)%len(raw)] ^= change
		got := decodeLine(raw, nil)
		if got.headOK && (string(got.key) != string(want.key) || got.version != want.version || got.place != want.place) {
			t.Fatalf("%q is believed to be about %q", raw, got.key)
		}
		if got.ok && !bytes.Equal(got.value, want.value) {
			t.Fatalf("%q is believed to hold %q", raw, got.value)
		}
	})
}

// FuzzHint reads any bytes as a hint, with and without a good checksum.
func FuzzHint(f *testing.F) {
	h := hint{ident: "0123456789abcdef", size: 500, write: 3, lines: 2, newest: record.Version{HLC: 4, Writer: 5}}
	h.addRecord(entry{version: record.Version{HLC: 4, Writer: 5}, spot: spot{1, 200, 100}}, []byte("key"))
	h.addSlot(kindState, 7, spot{1, 300, 50}, []byte(`{}`))
	f.Add(h.encode())
	f.Add([]byte(hintMagic))
	nothing := hint{ident: h.ident, size: 500, newest: h.newest}
	nothing.addRecord(entry{version: h.newest, spot: spot{1, 200, 0}}, []byte("key"))
	f.Add(nothing.encode())
	f.Add((&hint{ident: h.ident, size: -1}).encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, withSum(b)} {
			got, err := decodeHint(b)
			if err != nil {
				continue
			}
			if got.size < 0 {
				t.Fatalf("it is of %d bytes", got.size)
			}
			if err := got.each(func(l *line, off, size uint32) {
				if size == 0 || int64(off)+int64(size) > got.size || l.slot < 0 || l.slot >= hashring.Slots || l.kind == kindRecord && len(l.key) == 0 {
					t.Fatalf("item %+v at %d, %d bytes, of %d", l, off, size, got.size)
				}
			}); err != nil && !errors.Is(err, errHint) {
				t.Fatal(err)
			}
			if again := got.encode(); !bytes.Equal(again, b) && b[len(hintMagic)+identLen+24] < 2 {
				t.Fatalf("%x is written back as %x", b, again)
			}
		}
	})
}

// withSum replaces the last four bytes by the right checksum.
func withSum(b []byte) []byte {
	if len(b) < hintFixed+4 {
		return b
	}
	body := bytes.Clone(b[:len(b)-4])
	copy(body, hintMagic)
	return appendSum(body)
}

// FuzzReplay opens a log whose lines are any bytes, as the last segment and as a sealed one: it must open or refuse, never panic, take
// writes afterwards, and hold the same when it is opened again.
func FuzzReplay(f *testing.F) {
	one := recordLine(record.Record{Key: "a", Version: record.Version{HLC: 1}, Value: []byte("v")}, place{1, 1, 1})
	two := line{kind: kindState, slot: 3, value: []byte(`{}`), place: place{2, 1, 1}}
	both := two.appendTo(one.appendTo(nil))
	f.Add([]byte{0x11, 0x21, 0x32, 0x36, 0xff, 0x41}, both, false)
	f.Add([]byte{0x11, 0x36, 0x41, 0xfe, 0x51, 0x51}, append(both, make([]byte, 40)...), true)
	f.Add([]byte{}, []byte("{}\n\n\x00{\"sealed\":true}\n"), true)
	f.Fuzz(func(t *testing.T, places, rest []byte, sealed bool) {
		body := append(linesAt(places), rest...)
		d := faulty.New()
		o := small()
		first, err := jsonLine(newHeader(&o, 1, 1, false, record.Version{}))
		if err != nil {
			t.Fatal(err)
		}
		d.Put(segmentName(1), append(first, body...))
		if sealed {
			second, err := jsonLine(newHeader(&o, 2, 2, false, record.Version{}))
			if err != nil {
				t.Fatal(err)
			}
			d.Put(segmentName(2), append(second, one.appendTo(nil)...))
		}
		s, err := Open(d, o)
		if err != nil {
			if !errors.Is(err, ErrMissing) && !errors.Is(err, ErrNewer) {
				t.Fatalf("Open: %v", err)
			}
			return
		}
		next := record.Record{Key: "next", Version: record.Version{HLC: 9}, Value: []byte("v")}
		if err := s.Apply(store.Batch{Records: []record.Record{next}}); err != nil {
			t.Fatalf("Apply: %v", err)
		}
		before := s.Stats()
		if err := s.segments.close(); err != nil {
			t.Fatal(err)
		}
		s, err = Open(d, o)
		if err != nil {
			t.Fatalf("Open again: %v", err)
		}
		if got, ok, err := s.Get("next"); !ok || err != nil || !sameRecord(got, next) {
			t.Fatalf("Get(next) = %v, %v, %v, want %v", got, ok, err, next)
		}
		if after := s.Stats(); after.Keys != before.Keys || after.LiveBytes != before.LiveBytes || after.Doubtful != before.Doubtful {
			t.Fatalf("Stats() = %+v, want as before %+v", after, before)
		}
		if err := s.segments.close(); err != nil {
			t.Fatal(err)
		}
	})
}

// linesAt makes a good line for each byte, with a place made of its bits, and bad ones for some.
func linesAt(places []byte) (b []byte) {
	for i, p := range places {
		from := len(b)
		of := uint32(1 + p&3)
		l := recordLine(record.Record{Key: scriptKey(i % 9), Version: record.Version{HLC: uint64(i)}}, place{uint64(p >> 4), 1 + uint32(p>>2&3)%of, of})
		b = l.appendTo(b)
		switch p {
		case 0xff:
			b[from+9] ^= 1 // the key
		case 0xfe:
			b[len(b)-5] ^= 1 // the checksum
		case 0xfd:
			b = b[:len(b)-1] // the line end
		}
	}
	return b
}

// FuzzOperationsWithCrashes takes each byte for a step, or a crash, and compares with a map.
func FuzzOperationsWithCrashes(f *testing.F) {
	f.Add([]byte{1, 2, 3, 250, 4, 5, 251, 240, 6, 252, 7, 253}, uint64(1))
	f.Add(bytes.Repeat([]byte{9, 10, 241, 250, 240, 254}, 8), uint64(2))
	f.Add(bytes.Repeat([]byte{3, 7, 215, 11, 225, 230, 241, 228, 3, 250, 210, 241, 254}, 8), uint64(3))
	f.Fuzz(func(t *testing.T, steps []byte, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 1))
		d := faulty.New()
		r := newRunner(d, small())
		version := uint64(0)
		for _, b := range steps[:min(len(steps), 200)] {
			var s step
			switch {
			case b >= 250:
				d = crash(t, d, r, b, rng)
				continue
			case b >= 245:
				s.do = "reopen"
			case b >= 240:
				s.do = "compact"
			case b >= 220:
				s.do, s.slot, s.upTo = "forget", hashring.SlotOf(scriptKey(rng.IntN(scriptKeys))), version
			case b >= 210:
				s.batch.Drop = []int{hashring.SlotOf(scriptKey(rng.IntN(scriptKeys)))}
			default:
				for range 1 + b%4 {
					version++
					s.batch.Records = append(s.batch.Records, scriptRecord(rng, version))
				}
			}
			if err := r.do(s); err != nil {
				t.Fatalf("step %d: %v", b, err)
			}
		}
	})
}

// crash ends the store without closing it and goes on with what is left of its disk.
func crash(t *testing.T, d *faulty.Disk, r *runner, b byte, rng *rand.Rand) *faulty.Disk {
	t.Helper()
	next := d.Clone()
	if b > 251 {
		next = d.PowerCut([]faulty.Keep{faulty.KeepNone, faulty.KeepHalf, faulty.KeepTorn, faulty.KeepAll}[b%4], rng)
	}
	r.disk, r.store = next, nil
	if err := r.open(); err != nil {
		t.Fatalf("Open after a crash: %v", err)
	}
	wantOneOf(t, r.store, []content{r.acked}, "after a crash")
	return next
}
