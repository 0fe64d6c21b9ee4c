// Package load puts clients on a cluster from outside, by plain HTTP, while something is broken there, and judges what they saw.
//
// Start begins a Load: clients that note each operation in a history. Judge ends it, reads every key from every gateway and from every node, and
// gives all of it to package oracle. What the cluster is made of, containers or processes, is the business of a Target.
package load
