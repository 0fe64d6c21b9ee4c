//go:build !race

package jsonstore

const (
	every     = 1
	steps     = 100
	minStates = 5000
)
