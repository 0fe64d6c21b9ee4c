//go:build race

package jsonstore

// every thins out the tests that try each byte, which the race detector slows down tenfold.
const every = 11
