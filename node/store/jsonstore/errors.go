package jsonstore

import "errors"

var (
	// ErrForeign is returned by Open when a segment belongs to another data directory.
	ErrForeign = errors.New("a segment belongs to another data directory: put the node's own files back, or remove the data directory, and the node starts as a new one that the others fill")
	// ErrMissing is returned by Open when a segment isn't there, is empty, or is shorter than it has been.
	ErrMissing = errors.New("a part of the data is missing: put the file back, or remove the data directory, and the node starts as a new one that the others fill")
	// ErrNewer is returned by Open when a newer version of the program wrote a segment.
	ErrNewer = errors.New("the data was written by a newer version: start that version")
)
