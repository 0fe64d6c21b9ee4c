// Package keeper changes the placement. Every node runs a Keeper; the one that holds the Consul lock
// ringkv/<service>/keeper looks at who passes and at what the placement says, and proposes a next generation
// where the two no longer fit.
//
// # What it proposes
//
//   - The first document, generation 0, once the first nodes have passed undisturbed for 2 s.
//   - A node that joins: one that passes for 2 s and isn't in the placement. Those that come together go in together.
//   - A node whose weight or zone is another than the placement says, or whose disk is: that one was wiped, so that it
//     stands under its old id for a node that holds nothing.
//   - The placement without a node that has failed its checks for long, as long as enough others pass to hold every copy.
//   - The placement without a node that an operator asked to leave, or said is gone for good. These need no lock: any node
//     writes them when it is asked, and refuses them with a reason where that would do harm.
//   - The placement as it is, at a higher generation, where Consul has lost it or holds an older one than nodes remember, or
//     where slots have promised a generation that it doesn't hold.
//
// It changes one thing at a time: what can wait (a node that joins or leaves, another weight or zone) waits until all nodes
// that pass have reported that they hold everything that the present generation gives them, or until that has not come on for 30 s.
// Nodes that are away aren't waited for, and slots that are a copy short don't wait: -rebalance-after was their wait. Once all nodes
// have reported so, the next generation's log begins with the oldest config that is still in use.
//
// # Why it can't do harm
//
// The lock only keeps proposals few. What decides is the compare-and-set on the key: a keeper that is late, or one of two, proposes on
// top of something that isn't there any more, and is refused. So:
//
//   - Each generation follows from exactly one other, and is one more than that one, or than all that any slot has promised.
//   - Generation 0 is written only while the key does not exist and every node that passes has said that it remembers no
//     placement. Its owners begin empty, and beginning twice would lose what was written in between.
//   - Nothing is built on a document while a node is known to remember a newer one. The lost one is written again first, and only
//     when a majority of its nodes have said what they remember, with a generation above all that they
//     know. Its owners stay what they were, so that the configs of slots keep their generations and nothing moves.
//   - A generation may be lost before any node that passes has stored it, and yet slots have promised it: a gateway or a peer told
//     them. They would refuse another of that number, and stand still. So every node also tells the highest
//     generation that it has promised, and whatever is written while Consul's is below that gets one above it. Slots then enter a new config
//     with the same owners, which compares what these hold. A node that comes back with such a promise later tells
//     of it at the next audit, within about a minute.
//   - While more than half of the placement's nodes are missing, or less than a minute after Consul was out of reach, it
//     changes nothing: then it's rather the news that is wrong than the world. What Consul has plainly lost is written again
//     sooner, as nothing moves with it: 5 s after Consul is back, and after the last node came or went, once all nodes that pass have
//     said what they remember.
//
// A keeper that could not do for 15 s what there is to do gives the lock away, as the fault may be its own.
//
// The decision is one pure function, propose, of a State; the rest gathers that State and carries the outcome to Consul.
package keeper
