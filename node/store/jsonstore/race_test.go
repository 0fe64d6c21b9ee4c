//go:build race

package jsonstore

// The race detector slows the tests that try everything down tenfold, and finds nothing in them: they are thinned out.
const (
	every     = 23 // bytes
	steps     = 40 // of the script whose power is cut at every operation
	minStates = 1500
)
