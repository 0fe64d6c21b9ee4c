// Package placement says which nodes should hold which slot, and puts that together with who is passing.
//
// # The document
//
// Where data should live is written in one JSON Document, in Consul's KV under ringkv/<service>/placement. It lists nodes,
// by id and by the identity of their disk, and carries a generation. It changes only by compare-and-set, and each change is
// one generation more; the keeper (package node/keeper) proposes them. It is several more where a generation that was lost may have been
// promised already: see Document.Above. The document also keeps a log of the nodes of earlier
// generations, so that whoever reads it knows how it came about without having watched.
//
// Health is not in it. A node that is away for a minute still holds its data, so a check that fails changes who is asked and
// not who should hold what. Addresses are not in it either: they come with the registration.
//
// # Configs
//
// The owners of a slot are a pure function of the nodes (package hashring). A Config is the owners of one slot together
// with the generation since which they are so; most generations change the owners of few slots, and the others keep their
// Config, which is what spares them any hand-over. These hold:
//
//   - Two documents that one chain of compare-and-sets went through give a slot configs of equal generation only if the
//     owners, and the disks that they live on, are the same.
//   - The generation of a slot's config never goes down from one document to the next.
//   - Both follow from the document alone. Shortening the log may raise the generation of a config whose owners last
//     changed before what is left; it stays below or at the document's own, and so breaks neither.
//
// The function from nodes to owners is part of the format: two programs that compute other owners from one document
// would give one name to two configs.
//
// # Departed nodes
//
// An identity under Lost is a node that an operator has given up: whoever enters a config leaves it out of the count, and
// it never comes back under that identity, as what it holds may be older than what has been read since. One under Left was
// asked to leave: it isn't taken in again, and goes on giving away what it held until nobody needs that any more. Both are
// part of what a generation says, as the nodes are.
//
// # What a node remembers
//
// The last document seen outlives the key in Consul: a Watcher never forgets it, a node also keeps it in its data
// directory, and a document of a lower generation is not taken. So a Consul that was wiped, or restored from an old snapshot, does
// not change where anybody looks for data; the keeper then writes the remembered document again.
//
// # Views
//
// A View is one document and one answer about who is passing, with a table from slot to owners: immutable, built whole,
// swapped in by one atomic store. A request loads it once and works with that to its end. Views keeps the current
// one. A node that passes under an id of the placement but with another disk has lost what the placement
// believes it holds; a View treats it as not passing.
package placement
