package oracle

import (
	"fmt"
	"strings"
)

// A Violation says which promise was broken, how often, and shows the first few cases.
type Violation struct {
	Promise string
	Count   int
	Cases   []string
}

// maxCases bounds how many cases a Violation shows.
const maxCases = 5

func (v *Violation) Error() string {
	text := fmt.Sprintf("%s: broken %d times", v.Promise, v.Count)
	for _, c := range v.Cases {
		text += "\n  " + strings.ReplaceAll(c, "\n", "\n  ")
	}
	if more := v.Count - len(v.Cases); more > 0 {
		text += fmt.Sprintf("\n  and %d more", more)
	}
	return text
}

// add notes one case.
func (v *Violation) add(format string, args ...any) {
	v.Count++
	if len(v.Cases) < maxCases {
		v.Cases = append(v.Cases, fmt.Sprintf(format, args...))
	}
}

// err is nil if nothing was added.
func (v *Violation) err() error {
	if v.Count == 0 {
		return nil
	}
	return v
}
