//go:build !race

package simulation

const (
	manySeeds = 2000
	racing    = false
)
