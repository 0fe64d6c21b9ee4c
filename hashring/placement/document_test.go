package placement

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// list returns nodes named by the words of ids, each "id" or "id/disk", of weight 1.
func list(ids string) []Node {
	var out []Node
	for _, word := range strings.Fields(ids) {
		id, disk, _ := strings.Cut(word, "/")
		out = append(out, Node{ID: id, Weight: 1, Disk: disk})
	}
	return out
}

func first(t testing.TB, nodes []Node, replicas int) *Document {
	t.Helper()
	d, err := First(nodes, replicas, "first")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func next(t testing.TB, d *Document, nodes []Node) *Document {
	t.Helper()
	n, err := Next(d, nodes, "next")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// chain returns the document at the end of a chain of generations, one for each list.
func chain(t testing.TB, replicas int, lists ...string) *Document {
	t.Helper()
	d := first(t, list(lists[0]), replicas)
	for _, l := range lists[1:] {
		d = next(t, d, list(l))
	}
	return d
}

func TestDocumentReadsWhatItWrote(t *testing.T) {
	d := first(t, []Node{{ID: "b", Weight: 2, Zone: "z<1>", Disk: "d2"}, {ID: "a", Weight: 1}}, 3)
	d = next(t, d, list("a b c"))
	data, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, d) {
		t.Errorf("Parse(Encode(d)) = %+v, want %+v", got, d)
	}
}

func TestDocumentReadsWell(t *testing.T) {
	d := first(t, []Node{{ID: "a", Weight: 1, Zone: "z", Disk: "d1"}, {ID: "b", Weight: 2}}, 2)
	d.Why = "b joined"
	d = next(t, d, list("a"))
	data, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"generation":1,"slots":1024,"replicas":2,"why":"next",
"nodes":[
 {"id":"a","weight":1}],
"log":[
 {"generation":0,"replicas":2,"nodes":[{"id":"a","weight":1,"zone":"z","disk":"d1"},{"id":"b","weight":2}]}]}
`
	if string(data) != want {
		t.Errorf("Encode() = %s, want %s", data, want)
	}
}

func TestParseTakesTheJSONOfAnyWriter(t *testing.T) {
	d := chain(t, 3, "a b", "a b c")
	compact, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(append(bytes.Replace(compact, []byte(`{`), []byte(`{"unheard_of":["x"], `), 1), ' ', '\n'))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, d) {
		t.Errorf("Parse = %+v, want %+v", got, d)
	}
}

func TestParseRefuses(t *testing.T) {
	const nodes = `"nodes":[{"id":"a","weight":1},{"id":"b","weight":1}]`
	many := strings.Repeat(`{"generation":1,"nodes":[{"id":"a","weight":1}]},`, maxLog+1)
	for name, tt := range map[string]struct{ doc, want string }{
		"nothing":             {``, "unexpected end"},
		"no object":           {`[]`, "cannot unmarshal"},
		"null":                {`null`, "no generation"},
		"trailing junk":       {`{"generation":0,"slots":1024,"replicas":3,` + nodes + `} x`, "after top-level"},
		"no generation":       {`{"slots":1024,"replicas":3,` + nodes + `}`, "no generation"},
		"negative generation": {`{"generation":-1,"slots":1024,"replicas":3,` + nodes + `}`, "cannot unmarshal"},
		"inexact generation":  {`{"generation":9007199254740992,"slots":1024,"replicas":3,` + nodes + `}`, "is above"},
		"other slots":         {`{"generation":0,"slots":512,"replicas":3,` + nodes + `}`, "512 slots, this program has 1024"},
		"no replicas":         {`{"generation":0,"slots":1024,` + nodes + `}`, "replicas is 0"},
		"too many replicas":   {`{"generation":0,"slots":1024,"replicas":256,` + nodes + `}`, "replicas is 256"},
		"no nodes":            {`{"generation":0,"slots":1024,"replicas":3,"nodes":[]}`, "lists no nodes"},
		"unsorted":            {`{"generation":0,"slots":1024,"replicas":3,"nodes":[{"id":"b","weight":1},{"id":"a","weight":1}]}`, "sorted by id"},
		"twice":               {`{"generation":0,"slots":1024,"replicas":3,"nodes":[{"id":"a","weight":1},{"id":"a","weight":1}]}`, "each once"},
		"no id":               {`{"generation":0,"slots":1024,"replicas":3,"nodes":[{"weight":1}]}`, "no id"},
		"control in id":       {`{"generation":0,"slots":1024,"replicas":3,"nodes":[{"id":"a\u0000","weight":1}]}`, "printable"},
		"slash in id":         {`{"generation":0,"slots":1024,"replicas":3,"nodes":[{"id":"a/1","weight":1}]}`, "slash"},
		"long zone":           {`{"generation":0,"slots":1024,"replicas":3,"nodes":[{"id":"a","weight":1,"zone":"` + strings.Repeat("z", 256) + `"}]}`, "longer than 255"},
		"weight 0":            {`{"generation":0,"slots":1024,"replicas":3,"nodes":[{"id":"a","weight":0}]}`, "weight of \"a\" is 0"},
		"weight 1.5":          {`{"generation":0,"slots":1024,"replicas":3,"nodes":[{"id":"a","weight":1.5}]}`, "cannot unmarshal"},
		"log of the future":   {`{"generation":1,"slots":1024,"replicas":3,` + nodes + `,"log":[{"generation":1,` + nodes + `}]}`, "newest first"},
		"log oldest first":    {`{"generation":3,"slots":1024,"replicas":3,` + nodes + `,"log":[{"generation":1,` + nodes + `},{"generation":2,` + nodes + `}]}`, "newest first"},
		"bad node in log":     {`{"generation":1,"slots":1024,"replicas":3,` + nodes + `,"log":[{"generation":0,"nodes":[{"id":"a"}]}]}`, "generation 0: weight"},
		"bad replicas in log": {`{"generation":1,"slots":1024,"replicas":3,` + nodes + `,"log":[{"generation":0,"replicas":-1,` + nodes + `}]}`, "replicas of generation 0 is -1"},
		"long log":            {`{"generation":1,"slots":1024,"replicas":3,` + nodes + `,"log":[` + many[:len(many)-1] + `]}`, "at most 128"},
		"empty lost":          {`{"generation":0,"slots":1024,"replicas":3,"lost":[""],` + nodes + `}`, "no identity"},
		"lost twice":          {`{"generation":0,"slots":1024,"replicas":3,"lost":["c","c"],` + nodes + `}`, "twice"},
		"lost and there":      {`{"generation":0,"slots":1024,"replicas":3,"lost":["a"],` + nodes + `}`, "which is lost"},
		"left and there":      {`{"generation":0,"slots":1024,"replicas":3,"left":["b"],` + nodes + `}`, "or has left"},
		"too large":           {strings.Repeat(" ", MaxBytes+1), "at most 524288"},
	} {
		d, err := Parse([]byte(tt.doc))
		if !errors.Is(err, ErrMalformed) || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%s: Parse = %v, %v, want ErrMalformed with %q", name, d, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, d := range []*Document{chain(f, 3, "a/1"), chain(f, 2, "a b", "a b c", "a/2 c")} {
		data, err := d.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"generation":7,"slots":1024,"replicas":1,"nodes":[{"id":"a","weight":9}],"log":[{"generation":3,"nodes":[{"id":"a","weight":1}]}]}`))
	f.Add([]byte(`{"generation":null,"slots":1024}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > MaxBytes/8 {
			t.Skip("what Encode escapes may not fit any more")
		}
		d, err := Parse(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || d != nil {
				t.Fatalf("Parse(%q) = %v, %v, want nil and ErrMalformed", data, d, err)
			}
			return
		}
		out, err := d.Encode()
		if err != nil {
			t.Fatalf("Encode of what was parsed from %q: %v", data, err)
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatalf("Parse(%s), as Encode wrote it: %v", out, err)
		}
		if !reflect.DeepEqual(again, d) {
			t.Fatalf("round trip gave %+v, want %+v", again, d)
		}
	})
}
