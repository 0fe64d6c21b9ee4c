package api

import (
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// Parameters by which the same is said to Consul's KV. Whoever is used to them must not believe that they count here.
var writeParameters = []string{"cas", "acquire", "release"}

// unsupportedWrite says why a write can't be done as asked, "" if it can.
func unsupportedWrite(r *http.Request) string {
	_, given := r.Header["If-Unmodified-Since"]
	if _, better := r.Header["If-Match"]; given && !better { // beside that it doesn't count (RFC 9110, 13.1.4)
		return "If-Unmodified-Since is not supported: send the ETag that you have seen as If-Match"
	}
	if r.URL.RawQuery != "" {
		for _, name := range writeParameters {
			if hasParameter(r.URL.RawQuery, name) {
				return "?" + name + " is not supported: for a conditional write send the ETag that you have seen as If-Match, or If-None-Match: *"
			}
		}
	}
	return ""
}

// hasParameter reports whether a query has a parameter of that name, with or without a value. A name that is
// percent-encoded is the same name: else ?%63as would be ignored.
func hasParameter(query, name string) bool {
	for query != "" {
		var p string
		p, query, _ = strings.Cut(query, "&")
		p, _, _ = strings.Cut(p, "=")
		if strings.IndexByte(p, '%') >= 0 {
			p, _ = url.QueryUnescape(p) // empty, and so none of ours, where it can't be decoded
		}
		if p == name {
			return true
		}
	}
	return false
}

// parameter returns the value of the first parameter of that name in the query, empty if there is none, or none that can be decoded. A
// semicolon is part of a value, as it is of a key in the path; net/url by itself would leave the parameter out.
func parameter(r *http.Request, name string) string {
	values, _ := url.ParseQuery(strings.ReplaceAll(r.URL.RawQuery, ";", "%3B"))
	return values.Get(name)
}

// matches reports whether one of the entity tags in a list is etag, or the list is "*" (RFC 9110, 13.1.1 and 13.1.2).
// Weak tags count only when weak is set. What can't be read ends the list.
func matches(lists []string, etag string, weak bool) bool {
	for _, list := range lists {
		if textproto.TrimString(list) == "*" {
			return true
		}
		for list != "" {
			list = strings.TrimLeft(list, " \t,")
			tag, isWeak := strings.CutPrefix(list, "W/")
			end := tagEnd(tag)
			if end < 0 {
				break
			}
			if tag[:end] == etag && (weak || !isWeak) {
				return true
			}
			list = tag[end:]
		}
	}
	return false
}

// tagEnd returns the length of the quoted tag that s begins with, -1 if it begins with none.
func tagEnd(s string) int {
	if s == "" || s[0] != '"' {
		return -1
	}
	end := strings.IndexByte(s[1:], '"')
	if end < 0 {
		return -1
	}
	return end + 2
}
