// Package following is what those who follow something in Consul have in common: which answers of a blocking query count, how long to wait
// after an error, and how those who follow them in turn are woken.
package following
