// Package membership knows which nodes are passing their checks. A Watcher learns it from Consul by blocking queries;
// Fixed has a list of nodes given by hand and asks each of them. Both publish an immutable Snapshot, swapped whole, and
// wake their subscribers when the members changed. A program runs one of them and shares it.
//
// # Design
//
// Consul is the slow path that everyone agrees on, not the truth about one request: whoever talks to a node finds out
// sooner that it is gone, and passes over it. So the rule here is to lose nobody by mistake.
//
//   - Silence never shrinks the ring. After an error the last members stay for as long as it takes; the age shows.
//   - An index is only worth something as the answer to the same question: an equal one means that the wait ran out, a
//     lower one that the answer comes from another life of Consul or from an agent that has lost its servers (it answers
//     "200 []" with index 1). Both bodies are thrown away. After an error or a lower index the next question carries
//     index 0, which goes to a server and gives the whole set, or an honest error.
//   - One node fewer is the ordinary failure and takes effect at once. All nodes fewer, or more than half of those that
//     stood there within the last few seconds, is how a restarted agent or a wiped Consul looks: then a consistent read and
//     the nodes' own /health-check decide. Nodes that refuse go at once, those that don't answer after a second, longer
//     question; those that do stay for up to 15 s, in which their registrations come back. The last ring is never emptied:
//     with nobody left to ask, requests fail by themselves, and fast.
//   - From an interruption of the watch until 15 s after the first good answer that follows, one node fewer is no ordinary
//     failure either, and is confirmed in the same way. A Consul that comes back empty is filled again node by node. One that
//     was restarted tells at first what it remembers, so that all seems well, and then puts the nodes out one by one, as its
//     checks begin anew.
//   - Every minute or so the whole set is read afresh, which mends whatever index arithmetic could get wrong.
//
// The price: a node that Consul calls critical but that answers us stays for 15 s if most others vanished with it, or if
// Consul was away shortly before, when one that hangs leaves 1.3 s later than otherwise; a cluster that is really shrunk to
// nothing keeps being shown until a node joins or the program restarts; and each process keeps one connection to its agent
// occupied.
//
// What it does not do: judge single requests, remember members over a restart, or number its snapshots. Placement, which
// says who holds what, has generations; the index in a Snapshot is a hint.
package membership
