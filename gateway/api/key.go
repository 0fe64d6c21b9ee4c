package api

import (
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxKey is the length of the longest key, in bytes.
const MaxKey = 1024

// PathKey returns the key that a request names: the rest of its path behind prefix, percent-decoded once. The router has
// matched the prefix against the path as it was sent. A key that isn't valid comes back as a problem.
func PathKey(r *http.Request, prefix string) (string, *Problem) {
	// URL.Path is the path as it was sent, decoded once, and never cleaned. The prefix holds nothing to be decoded, so
	// that it is as long here as it was there.
	return checkKey(r.URL.Path[len(prefix):])
}

// checkKey returns key if it may be one: 1 to MaxKey bytes of UTF-8 without control characters, of which no segment
// between slashes is "." or "..".
func checkKey(key string) (string, *Problem) {
	switch {
	case key == "":
		return "", &Problem{Outcome: BadKey, Detail: "the key is empty: name one behind /kv/"}
	case len(key) > MaxKey:
		return "", &Problem{Outcome: KeyTooLong, Detail: "a key has at most 1024 bytes"}
	case !plainText(key):
		return "", &Problem{Outcome: BadKey, Detail: "a key is UTF-8 without control characters"}
	case hasDotSegment(key):
		return "", &Problem{Outcome: BadKey, Detail: "a key has no path segment \".\" or \"..\""}
	}
	return key, nil
}

// plainText reports whether s is UTF-8 without control characters, those of C1 (U+0080 to U+009F) included.
func plainText(s string) bool {
	ascii := true
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	return ascii || utf8.ValidString(s) && strings.IndexFunc(s, unicode.IsControl) < 0
}

func hasDotSegment(key string) bool {
	for rest, more := key, true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}
