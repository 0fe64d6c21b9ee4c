//go:build !faults

package main

import "ringkv/node/store/jsonstore"

// faulty is for programs built with the tag faults, which die where a test wants them to. What is shipped leaves the options alone.
func faulty(o jsonstore.Options) (jsonstore.Options, error) { return o, nil }
