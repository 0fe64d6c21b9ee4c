//go:build !race

package jsonstore

const every = 1
