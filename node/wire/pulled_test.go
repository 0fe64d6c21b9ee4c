package wire

import (
	"reflect"
	"strings"
	"testing"

	"ringkv/hashring/placement"
	"ringkv/node/record"
)

func somePulled() *Pulled {
	return &Pulled{
		Node:    "b/disk",
		Settled: someConfig,
		Guard:   record.Version{HLC: 3, Writer: 1},
		Floor:   record.Version{HLC: 2, Writer: 1},
		Digest:  77,
		History: []*placement.Config{someConfig, {Generation: 9, Owners: []string{"d/1"}}},
		Records: []record.Record{
			{Key: "a", Version: record.Version{HLC: 5, Writer: 6}, Type: "text/plain", Value: []byte("value")},
			{Key: "b", Version: record.Version{HLC: 7, Writer: 8}, Deleted: true, Derived: true, Origin: record.Version{HLC: 6}, Ballot: record.Version{HLC: 9}},
			{Key: "c", Ballot: record.Version{HLC: 9}},
		},
		More: true,
	}
}

func TestPullRoundTrip(t *testing.T) {
	for name, req := range map[string]*Request{
		"one key": {Op: OpPull, Config: someConfig, Key: "k"},
		"a page":  {Op: OpPull, Config: someConfig, Slot: 1023, After: strings.Repeat("k", MaxKey), HeadOnly: true},
		"unless":  {Op: OpPull, Config: someConfig, Slot: 1023, HeadOnly: true, Digest: 1 << 63},
		"fetch":   {Op: OpFetch, Config: someConfig, Slot: 7, Keys: []string{"a", strings.Repeat("k", MaxKey), "\xff"}},
	} {
		if err := req.check(testMax); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got Request
		body := requestFrame(nil, 1, req)[headerSize+1+idSize:]
		if err := decodeRequest(body, false, testMax, newIntern(), &got); err != nil || !reflect.DeepEqual(&got, req) {
			t.Errorf("%s came as %+v, %v, want %+v", name, got, err, req)
		}
	}
	same := somePulled()
	same.Same, same.More = true, false
	for name, p := range map[string]*Pulled{"all": somePulled(), "same": same, "nothing": {History: []*placement.Config{}}} {
		want := &Response{Status: OK, Pulled: p}
		var got Response
		body := responseFrame(nil, 1, want)[headerSize+1+idSize:]
		if err := decodeResponse(body, false, testMax, newIntern(), &got); err != nil || !reflect.DeepEqual(&got, want) {
			t.Errorf("%s came as %+v, %v, want %+v", name, got.Pulled, err, p)
		}
	}
}

func TestPulledIsBounded(t *testing.T) {
	one := record.Record{Key: "k", Version: record.Version{HLC: 1}}
	for name, change := range map[string]func(*Pulled){
		"too many records":  func(p *Pulled) { p.Records = make([]record.Record, MaxPage+1) },
		"too long history":  func(p *Pulled) { p.History = make([]*placement.Config, MaxHistory+1) },
		"no config":         func(p *Pulled) { p.History[0] = nil },
		"a value too large": func(p *Pulled) { one.Value = make([]byte, testMax+1); p.Records[0] = one },
		"a record unkeyed":  func(p *Pulled) { p.Records[0].Key = "" },
		"a key too long":    func(p *Pulled) { p.Records[0].Key = strings.Repeat("k", MaxKey+1) },
		"an empty page":     func(p *Pulled) { p.Records = nil },
		"an endless name":   func(p *Pulled) { p.Node = strings.Repeat("n", MaxNodeID+1) },
		"never written":     func(p *Pulled) { p.Records[0].Version = record.Version{} },
	} {
		p := somePulled()
		change(p)
		var got Response
		body := responseFrame(nil, 1, &Response{Status: OK, Pulled: p})[headerSize+1+idSize:]
		if err := decodeResponse(body, false, testMax, newIntern(), &got); err == nil {
			t.Errorf("%s was taken: %+v", name, got.Pulled)
		}
	}
	body := responseFrame(nil, 1, &Response{Status: OK, Pulled: somePulled()})[headerSize+1+idSize:]
	for end := range body {
		var got Response
		if err := decodeResponse(body[:end], false, testMax, newIntern(), &got); err == nil {
			t.Errorf("the first %d of %d bytes were taken", end, len(body))
		}
	}
}
