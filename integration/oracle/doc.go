// Package oracle decides, from outside, whether a key-value store kept its promises while things broke.
//
// Clients note each operation in a History: when it began, when it ended, what came back. The checkers judge that history
// afterwards, and return nil or an error that names the operations which can't all be true:
//
//	CheckAcked      what was acknowledged is still there, wherever it's read
//	CheckCopies     and on enough nodes
//	CheckRegister   each key behaved like one register (long histories, near-linear time)
//	CheckLinear     the same by exhaustive search (short histories, exact with deletes too)
//	CheckVersions   versions follow real time, CheckStored on each node's disk too
//	CheckDeleted    what was deleted stays deleted
//	CheckValues     values are whole, and belong to the key they came from
//	Measure         how much failed, and for how long
//	CheckValid      the run put enough load on the store, and a fault was injected, so that the rest means something
//
// Histories begin with every key absent, and no two puts of one key write the same value: MakeValue sees to that.
package oracle
