// Package jsonstore is the engine that keeps records on disk as JSON Lines: tail -f, jq and grep read them.
//
// The data is a log, cut into segments. Every line is one JSON object, a record or a slot's state, with a checksum over what it says. The newest line
// of a key counts. In memory are the keys and where their newest lines lie; values are read from the disk when they are asked
// for. DESIGN.md beside package store tells the format, the write path, the recovery and the rules of failure.
//
// To read the source: Apply in commit.go, rotateLocked in rotate.go, load in load.go with the judge in judge.go, compactRun in compact.go.
package jsonstore
