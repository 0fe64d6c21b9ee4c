package wire

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ringkv/hashring/placement"
	"ringkv/node/record"
)

const testMax = 4096 // bytes of a value

// frameBody returns the body of the one frame in b, behind kind and id.
func frameBody(t testing.TB, b []byte, want kind, id uint64) []byte {
	t.Helper()
	payload, _, err := newFrameReader(bytes.NewReader(b), testMax+overhead).next()
	if err != nil {
		t.Fatal(err)
	}
	if kind(payload[0]) != want || binary.LittleEndian.Uint64(payload[1:]) != id {
		t.Fatalf("frame begins with % x, want kind %d and id %d", payload[:9], want, id)
	}
	return payload[1+idSize:]
}

func randomBytes(r *rand.Rand, most int) []byte {
	b := make([]byte, r.IntN(most+1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func randomConfig(r *rand.Rand) *placement.Config {
	c := &placement.Config{Generation: r.Uint64(), Owners: make([]string, r.IntN(MaxOwners+1))}
	for i := range c.Owners {
		c.Owners[i] = string(randomBytes(r, MaxNodeID))
	}
	return c
}

func randomVersion(r *rand.Rand) record.Version {
	return record.Version{HLC: 1 + r.Uint64N(1<<40), Writer: r.Uint64()}
}

func randomRecord(r *rand.Rand, key string) record.Record {
	rec := record.Record{Key: key, Version: randomVersion(r), Deleted: r.IntN(2) == 0, Derived: r.IntN(2) == 0, Type: string(randomBytes(r, MaxType)), Value: append([]byte{}, randomBytes(r, testMax)...)}
	if r.IntN(2) == 0 {
		rec.Origin = randomVersion(r)
	}
	if r.IntN(2) == 0 {
		rec.Ballot = randomVersion(r)
	}
	return rec
}

func TestRequestRoundTrip(t *testing.T) {
	r, known := rand.New(rand.NewPCG(1, 2)), newIntern()
	for range 2000 {
		want := Request{Op: OpRead + Op(r.IntN(int(lastOp))), Config: randomConfig(r), Key: "k" + string(randomBytes(r, MaxKey-1)), HeadOnly: r.IntN(2) == 0}
		if want.Op.ofSlotOnly() {
			want.Key, want.Slot, want.After = "", r.IntN(1<<16), string(randomBytes(r, MaxKey))
		}
		if want.Op == OpFetch {
			for range 1 + r.IntN(MaxPage) {
				want.Keys = append(want.Keys, "k"+string(randomBytes(r, 8)))
			}
		}
		if want.Op.carriesBallot() {
			want.Ballot = randomVersion(r)
		}
		if want.Op.carriesRecord() {
			want.Record = randomRecord(r, want.Key)
		}
		if want.Op.carriesBase() {
			want.Base = randomVersion(r)
		}
		want.Queried = r.IntN(2) == 0
		if err := want.check(testMax); err != nil {
			t.Fatal(err)
		}
		id := r.Uint64()
		var got Request
		if err := decodeRequest(frameBody(t, requestFrame(nil, id, &want), kindRequest, id), false, testMax, known, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("decoded %+v, want %+v", got, want)
		}
	}
}

func TestResponseRoundTrip(t *testing.T) {
	r, known := rand.New(rand.NewPCG(3, 4)), newIntern()
	for range 2000 {
		want := Response{Status: OK + Status(r.IntN(10)), Firm: r.IntN(2) == 0, Virtual: r.IntN(2) == 0, Fetched: r.IntN(2) == 0, Had: Had(r.IntN(3)), Detail: strings.Repeat("ä", r.IntN(MaxDetail/2))}
		if r.IntN(2) == 0 {
			want.Config = randomConfig(r)
		}
		if r.IntN(2) == 0 {
			want.Record = randomRecord(r, "")
		}
		if r.IntN(2) == 0 {
			want.Version = randomVersion(r)
		}
		id := r.Uint64()
		var got Response
		if err := decodeResponse(frameBody(t, responseFrame(nil, id, &want), kindResponse, id), false, testMax, known, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("decoded %+v, want %+v", got, want)
		}
	}
}

func TestDecodedValueOutlivesTheBuffer(t *testing.T) {
	body := requestFrame(nil, 1, writeOf("key", "value"))[headerSize+1+idSize:]
	var got Request
	if err := decodeRequest(body, false, testMax, newIntern(), &got); err != nil {
		t.Fatal(err)
	}
	clear(body)
	if got.Key != "key" || string(got.Record.Value) != "value" || got.Record.Type != "text/plain" || got.Config.Owners[0] != "n1" {
		t.Errorf("decoded %+v changed with the buffer", got)
	}
}

func TestKnownConfigsAreShared(t *testing.T) {
	known := newIntern()
	body := requestFrame(nil, 1, readOf("key"))[headerSize+1+idSize:]
	var first, second Request
	for _, req := range []*Request{&first, &second} {
		if err := decodeRequest(body, false, testMax, known, req); err != nil {
			t.Fatal(err)
		}
	}
	if first.Config != second.Config || !first.Config.Equal(someConfig) {
		t.Errorf("configs %p %v and %p, want one that equals %v", first.Config, first.Config, second.Config, someConfig)
	}
	var req Request
	allocs := testing.AllocsPerRun(100, func() {
		if err := decodeRequest(body, false, testMax, known, &req); err != nil {
			t.Error(err)
		}
	})
	if allocs != 1 {
		t.Errorf("decoding a read with a known config allocates %v times, want 1, the key", allocs)
	}
}

func TestInternIsBounded(t *testing.T) {
	known := newIntern()
	for i := range 3 * maxConfigs {
		if _, err := known.config(appendConfig(nil, &placement.Config{Generation: uint64(i)})[2:]); err != nil {
			t.Fatal(err)
		}
		known.contentType(binary.LittleEndian.AppendUint32(nil, uint32(i)))
	}
	if len(known.configs) > maxConfigs || len(known.types) > maxTypes {
		t.Errorf("%d configs and %d types are kept, want at most %d and %d", len(known.configs), len(known.types), maxConfigs, maxTypes)
	}
}

func TestDecodeRefuses(t *testing.T) {
	owners := make([]string, MaxOwners+1)
	write := func(change func(*Request)) *Request {
		req := writeOf("key", "value")
		change(req)
		return req
	}
	for name, c := range map[string]struct {
		req  *Request
		want error
	}{
		"no key":              {readOf(""), errKeyLength},
		"long key":            {readOf(strings.Repeat("k", MaxKey+1)), errKeyLength},
		"long type":           {write(func(r *Request) { r.Record.Type = strings.Repeat("t", MaxType+1) }), errTypeTooLong},
		"large value":         {write(func(r *Request) { r.Record.Value = make([]byte, testMax+1) }), errValueTooLarge},
		"many owners":         {&Request{Op: OpRead, Key: "key", Config: &placement.Config{Owners: owners}}, errTooManyOwners},
		"long owner":          {&Request{Op: OpRead, Key: "key", Config: &placement.Config{Owners: []string{strings.Repeat("n", MaxNodeID+1)}}}, errNodeIDTooLong},
		"a key of a slot":     {&Request{Op: OpSlot, Key: "key", Config: someConfig}, errKeyOfSlot},
		"no keys":             {&Request{Op: OpFetch, Config: someConfig}, errNoKeys},
		"too many keys":       {&Request{Op: OpFetch, Config: someConfig, Keys: slices.Repeat([]string{"k"}, MaxPage+1)}, errTooManyKeys},
		"an empty key":        {&Request{Op: OpFetch, Config: someConfig, Keys: []string{"k", ""}}, errKeyLength},
		"a long key of many":  {&Request{Op: OpFetch, Config: someConfig, Keys: []string{strings.Repeat("k", MaxKey+1)}}, errKeyLength},
		"no config":           {&Request{Op: OpRead, Key: "key"}, errNoConfig},
		"operation not known": {write(func(r *Request) { r.Op = 200 }), errUnknownOp},
	} {
		t.Run(name, func(t *testing.T) {
			body := requestFrame(nil, 1, c.req)[headerSize+1+idSize:]
			if err := decodeRequest(body, false, testMax, newIntern(), new(Request)); !errors.Is(err, c.want) {
				t.Errorf("decodeRequest = %v, want %v", err, c.want)
			}
			if c.want != errUnknownOp && !errors.Is(c.req.check(testMax), c.want) {
				t.Errorf("check = %v, want %v", c.req.check(testMax), c.want)
			}
		})
	}
	if readOf("key").check(0) != nil || write(func(r *Request) { r.Op = 0 }).check(testMax) == nil {
		t.Error("check must pass a plain read, and refuse op 0")
	}
}

func TestDecodeRefusesEveryCut(t *testing.T) {
	request := requestFrame(nil, 1, writeOf("key", "value"))[headerSize+1+idSize:]
	response := responseFrame(nil, 1, &Response{Status: OK, Config: someConfig, Record: writeOf("key", "value").Record, Version: record.Version{HLC: 1}, Detail: "d"})[headerSize+1+idSize:]
	for n := range len(request) {
		if decodeRequest(request[:n], false, testMax, newIntern(), new(Request)) == nil {
			t.Errorf("a request cut to %d of %d bytes is accepted", n, len(request))
		}
	}
	for n := range len(response) {
		if decodeResponse(response[:n], false, testMax, newIntern(), new(Response)) == nil {
			t.Errorf("a response cut to %d of %d bytes is accepted", n, len(response))
		}
	}
	fetch := requestFrame(nil, 1, &Request{Op: OpFetch, Config: someConfig, Keys: []string{"a", "bc"}})[headerSize+1+idSize:]
	for n := range len(fetch) {
		if decodeRequest(fetch[:n], false, testMax, newIntern(), new(Request)) == nil {
			t.Errorf("a fetch cut to %d of %d bytes is accepted", n, len(fetch))
		}
	}
	if decodeRequest(append(request, 0), false, testMax, newIntern(), new(Request)) == nil {
		t.Error("a request with a byte behind its end is accepted")
	}
	if decodeResponse(append(response, 0), false, testMax, newIntern(), new(Response)) == nil {
		t.Error("a response with a byte behind its end is accepted")
	}
}

func TestFrameErrors(t *testing.T) {
	good := requestFrame(nil, 1, readOf("key"))
	change := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[at] = to
		return b
	}
	for name, c := range map[string]struct {
		stream []byte
		want   error
	}{
		"end":           {nil, io.EOF},
		"cut header":    {good[:5], io.ErrUnexpectedEOF},
		"cut payload":   {good[:len(good)-1], io.ErrUnexpectedEOF},
		"length 0":      {make([]byte, 16), errFrameLength},
		"length 4 GiB":  {change(3, 255), errFrameLength},
		"wrong sum":     {change(4, good[4]+1), errFrameSum},
		"wrong payload": {change(20, good[20]+1), errFrameSum},
	} {
		if _, _, err := newFrameReader(bytes.NewReader(c.stream), testMax+overhead).next(); !errors.Is(err, c.want) {
			t.Errorf("%s: next = %v, want %v", name, err, c.want)
		}
	}
}

func TestFramesOfAnySize(t *testing.T) {
	var stream []byte
	sizes := []int{0, 1, 100, readBuffer - 200, readBuffer, 3 * readBuffer, 7}
	for i, size := range sizes {
		stream = requestFrame(stream, uint64(i), writeOf("key", strings.Repeat("v", size)))
	}
	frames := newFrameReader(bytes.NewReader(stream), 1<<20)
	for i, size := range sizes {
		payload, owned, err := frames.next()
		if err != nil {
			t.Fatal(err)
		}
		var req Request
		if err := decodeRequest(payload[1+idSize:], owned, 1<<20, newIntern(), &req); err != nil || len(req.Record.Value) != size {
			t.Errorf("frame %d holds %d bytes, error %v, want %d", i, len(req.Record.Value), err, size)
		}
	}
	if _, _, err := frames.next(); err != io.EOF {
		t.Errorf("behind the last frame: %v, want EOF", err)
	}
}

func TestUnknownStatusLeavesItOpen(t *testing.T) {
	for _, status := range []Status{0, Failed + 1, 255} {
		var got Response
		body := responseFrame(nil, 1, &Response{Status: status, Detail: "why"})[headerSize+1+idSize:]
		if err := decodeResponse(body, false, testMax, newIntern(), &got); err != nil || got.Status != Failed || !strings.Contains(got.Detail, "why") {
			t.Errorf("status %d decodes as %+v, error %v, want Failed, the one that may have stored", status, got, err)
		}
	}
}

// Whoever says both has said nothing: neither may be believed.
func TestContradictionAboutThePastIsNoAnswer(t *testing.T) {
	body := responseFrame(nil, 1, &Response{Status: Superseded, Had: HadNever})[headerSize+1+idSize:]
	body[1] |= flagAccepted
	var got Response
	if err := decodeResponse(body, false, testMax, newIntern(), &got); err != nil || got.Had != HadUnknown {
		t.Errorf("decoded %+v, error %v, want that nothing is known", got, err)
	}
}

func TestDetailIsCutBetweenCharacters(t *testing.T) {
	got := cutText(strings.Repeat("€", MaxDetail))
	if want := strings.Repeat("€", MaxDetail/3); got != want {
		t.Errorf("cutText leaves %d bytes, want %d", len(got), len(want))
	}
}

// FuzzFrame reads a stream that may hold anything, as each end would.
func FuzzFrame(f *testing.F) {
	f.Add(requestFrame(responseFrame(nil, 4, &Response{Status: Superseded, Had: HadNever}), 5, &Request{Op: OpWrite, Config: someConfig, Key: "k", Queried: true}))
	f.Add(requestFrame(nil, 1, writeOf("key", "value")))
	f.Add(responseFrame(appendSignal(nil, kindPing), 2, &Response{Status: Stale, Config: someConfig, Detail: "later"}))
	f.Add([]byte{1, 0, 0, 0})
	f.Add(requestFrame(nil, 1, &Request{Op: OpFetch, Config: someConfig, Slot: 7, Keys: []string{"a", "b"}}))
	f.Add(requestFrame(nil, 1, &Request{Op: OpPull, Config: someConfig, Slot: 7, HeadOnly: true, Digest: 77}))
	f.Add(responseFrame(nil, 3, &Response{Status: OK, Pulled: somePulled()}))
	f.Fuzz(func(t *testing.T, stream []byte) {
		frames, known := newFrameReader(bytes.NewReader(stream), testMax+overhead), newIntern()
		for {
			frames.more()
			payload, owned, err := frames.next()
			if err != nil {
				break
			}
			fuzzBody(t, payload[min(len(payload), 1+idSize):], owned, known)
		}
		fuzzBody(t, stream, false, known) // and behind a checksum that holds
	})
}

func fuzzBody(t *testing.T, body []byte, owned bool, known *intern) {
	var req Request
	if err := decodeRequest(body, owned, testMax, known, &req); err == nil {
		if err := req.check(testMax); err != nil {
			t.Errorf("decoded a request that can't be sent: %v", err)
		}
		again := requestFrame(nil, 1, &req)[headerSize+1+idSize:]
		var twice Request
		if err := decodeRequest(again, false, testMax, known, &twice); err != nil || !reflect.DeepEqual(req, twice) {
			t.Errorf("%+v becomes %+v, error %v", req, twice, err)
		}
	}
	var resp Response
	if err := decodeResponse(body, owned, testMax, known, &resp); err == nil {
		if len(resp.Record.Value) > testMax || len(resp.Detail) > MaxDetail {
			t.Errorf("decoded %+v beyond the bounds", resp)
		}
		again := responseFrame(nil, 1, &resp)[headerSize+1+idSize:]
		var twice Response
		if err := decodeResponse(again, false, testMax, known, &twice); err != nil || twice.Had != resp.Had {
			t.Errorf("%+v can't be decoded again, or is %+v then: %v", resp, twice, err)
		}
	}
}
