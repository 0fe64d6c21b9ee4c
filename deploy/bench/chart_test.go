package main

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestBars(t *testing.T) {
	groups := bars(measured())
	if len(groups) != 2 || len(groups[0].bars) != 2 || len(groups[1].bars) != 3 {
		t.Fatalf("bars = %+v, want PUT of two systems and GET of three", groups)
	}
	if got, want := groups[0].bars[0], (bar{"ringkv", 20_000, true}); got != want {
		t.Errorf("first bar = %+v, want %+v", got, want)
	}
}

// drawn is what an SVG shows: its words in order, and the widths of its bars.
func drawn(t *testing.T, svg string) (words []string, widths []float64) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(svg))
	within := ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return words, widths
		}
		if err != nil {
			t.Fatalf("not XML: %v\n%s", err, svg)
		}
		switch at := token.(type) {
		case xml.StartElement:
			within = at.Name.Local
			for _, a := range at.Attr {
				if width, err := strconv.ParseFloat(a.Value, 64); err == nil && within == "rect" && a.Name.Local == "width" {
					widths = append(widths, width)
				}
			}
		case xml.EndElement:
			within = ""
		case xml.CharData:
			if within == "text" {
				words = append(words, string(at))
			}
		}
	}
}

func TestChart(t *testing.T) {
	words, widths := drawn(t, chart([]group{
		{"PUT <100 B>", []bar{{"ringkv", 12_000, true}, {"a & b", 6_000, false}}},
		{"GET", []bar{{"ringkv", 24_000, true}}},
	}))
	if want := []string{"PUT <100 B>", "ringkv", "12,000", "a & b", "6,000", "GET", "ringkv", "24,000"}; !slices.Equal(words, want) {
		t.Errorf("the chart says %q, want %q", words, want)
	}
	if len(widths) != 3 || widths[0] != 2*widths[1] || widths[2] != 2*widths[0] || widths[2] > chartWidth {
		t.Errorf("the bars of 12,000, 6,000 and 24,000 are %v wide", widths)
	}
}

func TestChartOfNothing(t *testing.T) {
	if words, widths := drawn(t, chart(nil)); len(words)+len(widths) != 0 {
		t.Errorf("the chart says %q, with bars of %v", words, widths)
	}
}
