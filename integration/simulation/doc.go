// Package simulation runs a whole cluster in one process, in fake time, with faults, and asks package oracle whether it kept
// its promises: as TigerBeetle's VOPR and FoundationDB's simulation do (Zhou et al., "FoundationDB: A Distributed Unbundled
// Transactional Key Value Store", SIGMOD 2021). It holds tests alone.
//
// Nodes and gateways are made of the real parts: coordinator, replica, store, placement, membership, keeper, clock. What lies
// outside of them is a model: the network, the disks, Consul and the clocks. One seed decides everything that those do.
//
// A run has three acts: faults, healing, and then convergence within a bound. At the end the history of the clients and the
// data on all disks are judged.
package simulation
