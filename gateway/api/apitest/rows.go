package apitest

import (
	"fmt"
	"slices"
	"strings"
)

// pathRows are paths that are no key, or another than one might think. Each is written and read.
func pathRows() []row {
	var rows []row
	add := func(path string, status int, err, key string) {
		put := row{name: "PUT " + clip(path), err: err, key: key, value: "v", status: []int{status},
			request: "PUT " + path + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nv"}
		read := row{name: "GET " + clip(path), err: err, key: key, status: []int{status},
			request: "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n"}
		rows = append(rows, put, read)
	}
	for path, key := range map[string]string{
		"a%2Fb": "a/b", "a%2fb": "a/b", "a/b": "a/b", "a//b": "a//b", "/a": "/a", "a/": "a/", "/": "/", "a%2F": "a/",
		"a+b": "a+b", "a%20b": "a b", "a%2Bb": "a+b", "a;b=c": "a;b=c", "a#b": "a#b", "a?b": "a", "a%3Fb": "a?b", "a%252Fb": "a%2Fb",
		"...": "...", ".a/a./a..b": ".a/a./a..b", "%61": "a", "é": "é", "%C3%A9": "é", "%F0%9F%98%80": "😀", `"\<>^{|}`: `"\<>^{|}`,
		"*": "*", ":key": ":key", "@:80": "@:80", "ring": "ring", "%E2%80%A8": "\u2028",
		strings.Repeat("k", 1024): strings.Repeat("k", 1024), strings.Repeat("%C3%A9", 512): strings.Repeat("é", 512),
	} {
		add("/kv/"+path, 200, "", key)
	}
	add("http://elsewhere/kv/absolute", 200, "", "absolute")
	for _, key := range []string{"", ".", "..", "%2e%2e", "%2E", "a/../b", "a/%2e%2e/b", "a%2f..%2fb", "a/..", "./a", "a/./b",
		"../../destroy", "%2e%2e/destroy", "%7f", "%ff%fe", "\xff", "%c0%ae", "%ed%a0%80", "a%00", "%c2%80", "%c2%9f", "%F4%90%80%80"} {
		add("/kv/"+key, 400, "bad_key", "")
	}
	for ctl := range 0x20 {
		add(fmt.Sprintf("/kv/a%%%02xb", ctl), 400, "bad_key", "")
	}
	for _, path := range []string{"/kv/%zz", "/kv/%", "/kv/a%4", "/kv/a\x00b", "/kv/a\rb", "/kv/a\x7fb", "kv/a", "/kv/a b", "http://[/kv/a", ":"} {
		add(path, 400, "bad_request", "")
	}
	for _, path := range []string{"/", "/kv", "//kv/a", "/./kv/a", "/x/../kv/a", "/kv%2fa", "/%6bv/a", "/KV/a", "/kv;/a", "//destroy", "/DESTROY",
		"/destroy/", "/destroy%2f", "/%64estroy", "/index.html", "/ring/", "/debug/pprof/", "http://elsewhere"} {
		add(path, 404, "not_found", "")
	}
	add("/kv/"+strings.Repeat("k", 1025), 414, "key_too_long", "")
	add("/kv/"+strings.Repeat("k", 4096), 414, "key_too_long", "")
	add("/kv/"+strings.Repeat("%00", 1025), 414, "key_too_long", "")
	add("/kv/"+strings.Repeat("k", 16<<10), 414, "key_too_long", "")
	add("/kv/"+strings.Repeat("k", 64<<10), 414, "key_too_long", "")
	add("/kv/many?"+strings.Repeat("x=&", 5000), 200, "", "many")
	add("/kv/odd?a;b=%zz&=&&%", 200, "", "odd")
	return rows
}

func methodRows() []row {
	var rows []row
	for _, method := range []string{"POST", "PATCH", "TRACE", "OPTIONS", "CONNECT", "get", "Put", "PROPFIND", "M-SEARCH"} {
		rows = append(rows, row{name: "method " + method, request: method + " /kv/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nv",
			status: []int{405}, err: "method_not_allowed", allow: "GET, HEAD, PUT, DELETE", key: "a"})
	}
	rows = append(rows, row{name: "method POST of what is no key", request: "POST /kv/.. HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
		status: []int{405}, err: "method_not_allowed", allow: "GET, HEAD, PUT, DELETE"})
	plain := func(name, request string, err string, status ...int) {
		rows = append(rows, row{name: name, request: request, status: status, err: err})
	}
	plain("CONNECT to a host", "CONNECT example.com:80 HTTP/1.1\r\nHost: example.com:80\r\n\r\n", "not_found", 404)
	plain("OPTIONS of everything", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "", 200)
	plain("GET of everything", "GET * HTTP/1.1\r\nHost: x\r\n\r\n", "not_found", 404)
	plain("a bad byte in the method", "G(T /kv/a HTTP/1.1\r\nHost: x\r\n\r\n", "bad_request", 400)
	plain("HTTP/9", "GET /kv/a HTTP/9.9\r\nHost: x\r\n\r\n", "not_supported", 505)
	plain("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "not_found", 404)
	plain("no version", "GET /kv/a\r\n\r\n", "bad_request", 400)
	plain("TLS", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", "bad_request", 400)
	return rows
}

func headerRows() []row {
	var rows []row
	put := func(name, headers string, err string, status ...int) {
		rows = append(rows, row{name: name, key: keyIf(status, "h"), value: "value", goOn: strings.HasSuffix(headers, "100-continue"), request: "PUT /kv/h HTTP/1.1\r\n" + headers + "\r\n\r\nvalue", status: status, err: err})
	}
	const ok = "Host: x\r\nContent-Length: 5\r\n"
	put("no Host", "Content-Length: 5", "bad_request", 400)
	put("two Hosts", "Host: y\r\n"+ok+"X: y", "bad_request", 400)
	put("bad Host", "Host: a b\x01\r\nContent-Length: 5", "bad_request", 400)
	put("header with NUL", ok+"X: a\x00b", "bad_request", 400)
	put("header without colon", ok+"nonsense", "bad_request", 400)
	put("header without name", ok+": empty", "bad_request", 400)
	put("space in a header's name", ok+"A b: c", "bad_request", 400)
	put("space before the colon", ok+"A : c", "bad_request", 400)
	put("20 KiB of headers", ok+"X: "+strings.Repeat("x", 20<<10), "headers_too_large", 431)
	put("5,000 headers", ok+strings.Repeat("X: y\r\n", 5000)+"X: y", "headers_too_large", 431)
	put("unknown expectation", ok+"Expect: foo", "expectation_failed", 417)
	put("100-continue", ok+"Expect: 100-continue", "", 200)
	put("h2c", ok+"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__", "", 200)
	put("websocket", ok+"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", 200)
	put("words of the inner protocol", ok+"Ringkv-Version: ffffffffffffffff-ffffffffffffffff\r\nRingkv-Generation: 99", "", 200)
	rows = append(rows, conditionRows()...)
	for _, header := range []string{`If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT`, `Content-Range: bytes 0-4/10`} {
		put("conditional PUT "+clip(header), ok+header, "not_supported", 501)
	}
	for _, query := range []string{"cas=7", "release", "a&%63as=7&b", "%61%63quire=x"} {
		rows = append(rows, row{name: "?" + query, err: "not_supported", status: []int{501},
			request: "PUT /kv/h?" + query + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nv"})
	}
	put("type of 256 bytes", ok+"Content-Type: "+strings.Repeat("x", 256), "", 200)
	put("type of 257 bytes", ok+"Content-Type: "+strings.Repeat("x", 257), "bad_request", 400)
	put("type with a tab", ok+"Content-Type: a/b;\tc=d", "bad_request", 400)
	put("type that is not UTF-8", ok+"Content-Type: a/b;c=\xff", "bad_request", 400)
	put("two types", ok+"Content-Type: a/b\r\nContent-Type: c/d", "bad_request", 400)
	for _, header := range []string{"Range: bytes=0-1", "Range: bytes=9-1", "Range: " + strings.Repeat("bytes=0-1,", 1000), `If-None-Match: W/"`, `If-None-Match: "a`,
		`If-None-Match: ` + strings.Repeat(`"a",`, 1000) + `"`, `If-None-Match: nonsense`, "Accept: ;;;,,,q=", "Accept-Encoding: gzip;q=nan"} {
		rows = append(rows, row{name: "GET with " + clip(header), status: []int{200}, key: "h",
			request: "GET /kv/h HTTP/1.1\r\nHost: x\r\n" + header + "\r\n\r\n"})
	}
	return rows
}

// conditionRows are writes with conditions, of a key that isn't there.
func conditionRows() []row {
	var rows []row
	add := func(header, err string, status int) {
		rows = append(rows, row{name: "PUT with " + clip(header), key: keyIf([]int{status}, "absent"), value: "value", status: []int{status}, err: err,
			request: "PUT /kv/absent HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n" + header + "\r\n\r\nvalue"})
	}
	for _, bad := range []string{`nonsense`, ``, ` , `, `"a`, `a"`, `""a`, `"a" "b"`, `"a b"`, "\"a\tb\"", `*, "a"`, `"a", *`, `**`, `w/"a"`, `W/a`, `W/`,
		strings.Repeat(`"a",`, 1000) + `"`} {
		add("If-Match: "+bad, "bad_request", 400)
		add("If-None-Match: "+bad, "bad_request", 400)
	}
	for _, mismatch := range []string{`*`, `"a"`, `W/"a"`, `"a", W/"b", ,"c"`, `"a",`, `"\"`, "\"\xff\"", `"*"`, strings.Repeat(`"a",`, 1000)} {
		add("If-Match: "+mismatch, "precondition_failed", 412)
	}
	add(`If-Match: "a"`+"\r\n"+`If-None-Match: *`, "precondition_failed", 412)
	add(`If-None-Match: *`+"\r\n"+`If-Match: nonsense`, "bad_request", 400)
	add(`If-Match: "a"`+"\r\nIf-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT", "precondition_failed", 412)
	for _, bad := range []string{"If-Match: a", "If-None-Match: a"} {
		rows = append(rows, row{name: "DELETE with " + bad, err: "bad_request", status: []int{400},
			request: "DELETE /kv/absent HTTP/1.1\r\nHost: x\r\n" + bad + "\r\n\r\n"})
	}
	rows = append(rows, row{name: "DELETE with If-Match", err: "precondition_failed", status: []int{412},
		request: "DELETE /kv/absent HTTP/1.1\r\nHost: x\r\nIf-Match: \"a\"\r\n\r\n"})
	add(`If-None-Match: `+strings.Repeat(`"a",`, 1000), "", 200) // from here on it is there
	add(`If-None-Match: W/"a", "b"`, "", 200)
	add(`If-None-Match: *`, "precondition_failed", 412)
	add(`If-Match: *`, "", 200)
	return rows
}

func bodyRows() []row {
	const put = "PUT /kv/b HTTP/1.1\r\nHost: x\r\n"
	var rows []row
	add := func(name, rest string, err string, status ...int) {
		rows = append(rows, row{name: name, request: put + rest, err: err, status: status})
	}
	good := func(name, rest, value string) {
		rows = append(rows, row{name: name, request: put + rest, status: []int{200}, key: "b", value: value})
	}
	add("neither length nor chunks", "\r\n", "length_required", 411)
	rows = append(rows, row{name: "chunks of HTTP/1.0", err: "length_required", status: []int{411},
		request: "PUT /kv/b HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nv\r\n0\r\n\r\n"})
	good("length 0", "Content-Length: 0\r\n\r\n", "")
	for _, bad := range []string{"-1", "+5", "100000000000000000000", "5, 5", "5 5", "0x5", "five", "5\r\nContent-Length: 6", "9223372036854775808"} {
		add("length "+bad, "Content-Length: "+bad+"\r\n\r\nvalue", "bad_request", 400)
	}
	good("the same length twice", "Content-Length: 5\r\nContent-Length: 5\r\n\r\nvalue", "value")
	for _, coding := range []string{"gzip", "gzip, chunked", "xchunked", "chunked\r\nTransfer-Encoding: chunked", "identity", "chunked, chunked"} {
		add("coding "+coding, "Transfer-Encoding: "+coding+"\r\n\r\n1\r\nv\r\n0\r\n\r\n", "not_supported", 501)
	}
	const chunked = "Transfer-Encoding: chunked\r\n\r\n"
	good("chunks", chunked+"3\r\nval\r\n2\r\nue\r\n0\r\n\r\n", "value")
	good("no chunk at all", chunked+"0\r\n\r\n", "")
	for name, bad := range map[string]string{"bad hex": "x\r\nv\r\n0\r\n\r\n", "negative": "-1\r\nv\r\n0\r\n\r\n", "overflow": "fffffffffffffffff\r\nv\r\n0\r\n\r\n",
		"without its length": "\r\nv\r\n0\r\n\r\n", "longer than it says": "1\r\nvalue\r\n0\r\n\r\n", "with an extension of 8 KiB": "1;" + strings.Repeat("x", 8<<10) + "\r\nv\r\n0\r\n\r\n"} {
		add("chunk "+name, chunked+bad, "bad_request", 400)
	}
	add("bare-LF chunk", chunked+"1\nv\n0\n\n", "bad_request", 400)

	cut := func(name, rest string) {
		add(name+", then silence", rest, "body_timeout", 408)
		rows = append(rows, row{name: name + ", then the end", request: put + rest, fin: true, err: "bad_request", status: []int{400}})
	}
	cut("3 bytes of 10", "Content-Length: 10\r\n\r\nabc")
	cut("nothing of 10", "Content-Length: 10\r\n\r\n")
	cut("chunks without end", chunked+"3\r\nabc\r\n")
	cut("half a chunk", chunked+"3\r\na")
	cut("a chunk's length alone", chunked+"3")

	full := func(n int) string { return strings.Repeat("v", n) }
	size := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }
	good("the largest value", size(MaxValue)+"\r\n"+full(MaxValue), full(MaxValue))
	good("the largest value in a chunk", fmt.Sprintf("%s%x\r\n%s\r\n0\r\n\r\n", chunked, MaxValue, full(MaxValue)), full(MaxValue))
	large := func(name, rest string) {
		rows = append(rows, row{name: name, request: put + rest, err: "value_too_large", status: []int{413}, closes: true})
	}
	large("a byte more", size(MaxValue+1)+"\r\n"+full(MaxValue+1))
	large("a byte more, unsent", size(1<<20)+"\r\n")
	large("a byte more, in a chunk", fmt.Sprintf("%s%x\r\n%s\r\n0\r\n\r\n", chunked, MaxValue+1, full(MaxValue+1)))
	large("a chunk of 10 GiB", chunked+"280000000\r\n"+full(2<<20))
	large("1 TiB", size(1<<40)+"\r\n"+full(1<<20))
	large("1 TiB, asked for first", size(1<<40)+"Expect: 100-continue\r\n\r\n")
	rows = append(rows, row{name: "DELETE with half a body", err: "bad_request", status: []int{400},
		request: "DELETE /kv/b HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"})
	return rows
}

// keyIf returns key where the request is to succeed.
func keyIf(status []int, key string) string {
	if slices.Contains(status, 200) {
		return key
	}
	return ""
}

func clip(s string) string {
	if len(s) > 40 {
		return fmt.Sprintf("%s… (%d bytes)", s[:40], len(s))
	}
	return s
}
