// Package seeded holds bugs that lose data, for a test that wants the other tests to notice each: make seeded.
package seeded
