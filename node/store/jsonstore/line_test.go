package jsonstore

import (
	"strings"
	"testing"

	"ringkv/node/record"
)

// TestReadsLinesWrittenBefore reads lines as they were written before records had marks.
func TestReadsLinesWrittenBefore(t *testing.T) {
	for _, c := range []struct {
		text string
		want record.Record
	}{
		{
			`{"key":"k","version":"0000000000000001-0000000000000002","type":"text/plain","write":[812,3,64],"head":"5392a7db","value":"v","crc":"4f4d3883"}`,
			record.Record{Key: "k", Version: record.Version{HLC: 1, Writer: 2}, Type: "text/plain", Value: []byte("v")},
		},
		{
			`{"key":"k","version":"0000000000000000-0000000000000000","write":[1,1,1],"head":"af8bf080","value":"","crc":"af8bf080"}`,
			record.Record{Key: "k"},
		},
	} {
		l := decodeLine([]byte(c.text), nil)
		want := recordLine(c.want, l.place)
		if !l.ok || string(l.key) != c.want.Key || l.version != want.version || l.marked() || string(l.value) != string(c.want.Value) {
			t.Errorf("%s is read as %+v, want %+v; as it is written now: %s", c.text, l, c.want, strings.TrimSpace(string(want.appendTo(nil))))
		}
	}
}
