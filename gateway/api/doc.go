// Package api is the HTTP edge of ringkv: the routes of /kv/, which gateways and nodes serve alike, and the other routes
// of a gateway. Handlers translate between HTTP and the coordinator; they decide nothing about data.
//
// What comes in is checked before it costs anything: the key, then the headers, then the length, then whether there is
// room in memory; only then is the body read, whole, and only then is the coordinator asked.
package api
