// Package seeded holds bugs that lose data, for a test that wants the store's tests to notice each: go test -tags seeded.
package seeded
