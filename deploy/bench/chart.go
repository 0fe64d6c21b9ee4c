package main

import (
	"fmt"
	"html"
	"strings"
)

// bar is one of the chart.
type bar struct {
	name  string
	value float64
	own   bool // of ringkv, which has a colour of its own
}

// group is the bars of one workload.
type group struct {
	title string
	bars  []bar
}

// bars are of the first two workloads, PUT and GET of small values, as far as they were measured.
func bars(systems []*system, results []result) []group {
	var groups []group
	for _, r := range results[:min(2, len(results))] {
		g := group{title: r.workload.name() + ": requests a second"}
		for i, rounds := range r.rounds {
			if len(rounds) > 0 {
				g.bars = append(g.bars, bar{systems[i].name, median(rounds, rate), i == 0})
			}
		}
		groups = append(groups, g)
	}
	return groups
}

// Measures of the chart, in its own units.
const (
	chartWidth = 720
	nameWidth  = 100 // left of the bars
	countWidth = 90  // right of the longest
	barHeight  = 22
	barGap     = 8
	titleSpace = 34
)

// style makes it readable on light and on dark pages.
const style = `<style>
text { font: 14px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.own { fill: #1a7f64 }
.other { fill: #8c959f }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.own { fill: #3fb68b }
.other { fill: #6e7681 }
}
</style>
`

// chart draws groups of bars, all to the same scale, as an SVG.
func chart(groups []group) string {
	var body strings.Builder
	most := 1.0
	for _, g := range groups {
		for _, b := range g.bars {
			most = max(most, b.value)
		}
	}
	y := 0
	for _, g := range groups {
		fmt.Fprintf(&body, "<text class=\"title\" x=\"0\" y=\"%d\">%s</text>\n", y+20, html.EscapeString(g.title))
		y += titleSpace
		for _, b := range g.bars {
			b.draw(&body, y, b.value/most)
			y += barHeight + barGap
		}
		y += barGap
	}
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\">\n", chartWidth, y, chartWidth, y) +
		style + body.String() + "</svg>\n"
}

func (b bar) draw(body *strings.Builder, y int, part float64) {
	class := "other"
	if b.own {
		class = "own"
	}
	length := part * (chartWidth - nameWidth - countWidth)
	line := y + barHeight/2 + 5 // the foot of the letters
	fmt.Fprintf(body, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", nameWidth-10, line, html.EscapeString(b.name))
	fmt.Fprintf(body, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/>\n", class, nameWidth, y, length, barHeight)
	fmt.Fprintf(body, "<text x=\"%.1f\" y=\"%d\">%s</text>\n", nameWidth+length+8, line, count(b.value))
}
