package api

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"ringkv/gateway/api/apitest"
)

// TestValuesAreNotTakenForErrors asks for values of which the part behind the first 4 KiB of the answer, a write of its own, reads as one of
// net/http's errors does.
func TestValuesAreNotTakenForErrors(t *testing.T) {
	fake := apitest.NewFake()
	c := dial(t, serve(t, newTestRouter(t, fake, Limits{}), 8, nil))
	in := bufio.NewReader(c)
	const likeAnError = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"
	for at := gathered - 600; at < gathered; at++ { // the head takes less than that
		value := []byte(strings.Repeat("v", at) + likeAnError)
		if _, err := fake.Put(t.Context(), "a", value, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, "GET /kv/a?raw HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, value) {
			t.Fatalf("%d bytes before the line: %v, and %d bytes came, want %d, the last of them %q", at, err, len(got), len(value), likeAnError)
		}
	}
	if _, err := io.WriteString(c, "GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Content-Type") != problemType[0] {
		t.Errorf("an error of net/http behind them is %v, %v, want a problem", resp, err)
	}
}
