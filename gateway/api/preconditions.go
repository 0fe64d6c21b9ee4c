package api

import (
	"fmt"
	"net/http"
	"strings"

	"ringkv/gateway/coordinator"
	"ringkv/node/record"
)

// A tagList is what an If-Match or If-None-Match header names, of a write: what isn't valid refuses it. Reads are lenient, see matches.
type tagList struct {
	any  bool // "*": whatever is there
	tags []entity
}

// An entity is one entity tag.
type entity struct {
	text string // with its quotes
	weak bool
}

// names reports whether the list names what is there. A weak tag never names it strongly.
func (l *tagList) names(r record.Record, weakly bool) bool {
	if !r.Exists() || l.any {
		return r.Exists()
	}
	etag := entityTag(r.Known())
	for _, t := range l.tags {
		if t.text == etag && (weakly || !t.weak) {
			return true
		}
	}
	return false
}

// precondition returns on what the headers of a write make it depend (RFC 9110, 13.1.1 and 13.1.2), nil if on nothing, or why they
// can't be read.
func precondition(h http.Header) (coordinator.Condition, *Problem) {
	match, bad := tagsIn(h, "If-Match")
	if bad != nil {
		return nil, bad
	}
	unless, bad := tagsIn(h, "If-None-Match")
	if bad != nil || match == nil && unless == nil {
		return nil, bad
	}
	return func(present record.Record) bool {
		return (match == nil || match.names(present, false)) && (unless == nil || !unless.names(present, true))
	}, nil
}

// tagsIn reads all headers of that name as one list, nil if there is none.
func tagsIn(h http.Header, name string) (*tagList, *Problem) {
	lines, ok := h[name]
	if !ok {
		return nil, nil
	}
	list, rest := new(tagList), strings.Join(lines, ",")
	for {
		if rest = strings.TrimLeft(rest, " \t,"); rest == "" {
			break
		}
		if strings.HasPrefix(rest, "*") {
			list.any, rest = true, rest[1:]
		} else {
			text, weak := strings.CutPrefix(rest, "W/")
			end := strictEnd(text)
			if end < 0 {
				return nil, malformed(name)
			}
			list.tags = append(list.tags, entity{text[:end], weak})
			rest = text[end:]
		}
		if rest = strings.TrimLeft(rest, " \t"); rest != "" && rest[0] != ',' {
			return nil, malformed(name)
		}
	}
	if list.any == (len(list.tags) > 0) {
		return nil, malformed(name)
	}
	return list, nil
}

func malformed(name string) *Problem {
	return &Problem{Outcome: BadRequest, Detail: fmt.Sprintf(`%s can't be read: want versions in quotes as ETag shows them, with commas between, or * alone`, name)}
}

// strictEnd is tagEnd for a tag of which every character is allowed.
func strictEnd(s string) int {
	end := tagEnd(s)
	for i := 1; i < end-1; i++ {
		if s[i] <= ' ' || s[i] == 0x7f {
			return -1
		}
	}
	return end
}
