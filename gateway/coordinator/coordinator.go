// Package coordinator carries out one read or write over the owners of a key, so that what it answers is linearizable key
// by key. It knows nothing of HTTP, Consul or sockets.
package coordinator
