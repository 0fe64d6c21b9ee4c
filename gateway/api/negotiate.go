package api

import (
	"net/http"
	"strconv"
	"strings"
)

// wantsRaw reports whether a reader asks for the bytes of the value in place of the envelope: by ?raw, or by an Accept
// that has no room for JSON in it. Accept: */* alone, which is what curl sends, is no wish. What has q=0 is not wanted (RFC 9110, 12.4.2).
func wantsRaw(r *http.Request) bool {
	if r.URL.RawQuery != "" && hasParameter(r.URL.RawQuery, "raw") {
		return true
	}
	asked := false
	for _, list := range r.Header["Accept"] {
		for list != "" {
			var one string
			one, list, _ = strings.Cut(list, ",")
			one, parameters, _ := strings.Cut(one, ";")
			one = strings.TrimSpace(one)
			json, refused := isJSON(one), isRefused(parameters)
			switch {
			case one == "*/*", !strings.Contains(one, "/"): // the latter is no media type
			case json && !refused:
				return false
			case json == refused: // bytes are wanted, or JSON isn't
				asked = true
			}
		}
	}
	return asked
}

// isRefused reports whether the parameters of a media type give it the weight 0.
func isRefused(parameters string) bool {
	for parameters != "" {
		var p string
		p, parameters, _ = strings.Cut(parameters, ";")
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if strings.EqualFold(name, "q") {
			weight, err := strconv.ParseFloat(value, 64)
			return err == nil && weight == 0
		}
	}
	return false
}

func isJSON(mediaType string) bool {
	return strings.EqualFold(mediaType, "application/json") || strings.EqualFold(mediaType, "application/problem+json") ||
		strings.EqualFold(mediaType, "application/*")
}

const maxType = 256 // bytes of a Content-Type

// valueType returns the type to store with a value, empty if none was given. What curl -d sends of itself counts as none.
func valueType(h http.Header) (string, *Problem) {
	given := h["Content-Type"]
	switch {
	case len(given) == 0:
		return "", nil
	case len(given) > 1:
		return "", &Problem{Outcome: BadRequest, Detail: "more than one Content-Type: send one, or none"}
	case len(given[0]) > maxType:
		return "", &Problem{Outcome: BadRequest, Detail: "a Content-Type has at most 256 bytes"}
	case !plainText(given[0]):
		return "", &Problem{Outcome: BadRequest, Detail: "a Content-Type is text without control characters"}
	}
	essence, _, _ := strings.Cut(given[0], ";")
	if strings.EqualFold(strings.TrimSpace(essence), "application/x-www-form-urlencoded") {
		return "", nil
	}
	return given[0], nil
}
