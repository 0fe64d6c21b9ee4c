//go:build race

package simulation

// The race detector makes runs ten times slower, and what it looks for is in all of them alike.
const (
	manySeeds = 40
	racing    = true // with the detector, Go lets goroutines go on in an order of chance
)
