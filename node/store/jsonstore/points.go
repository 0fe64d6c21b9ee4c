package jsonstore

// The points at which Options.At is called, in the order of the write path, the rotation, and the compaction.
const (
	PointAppend        = "append"         // before the write of a batch
	PointWritten       = "written"        // before its sync
	PointSynced        = "synced"         // durable, before it is seen
	PointSeen          = "seen"           // before Apply returns
	PointRotateCreated = "rotate-created" // the new segment is durable, the old one isn't sealed
	PointRotateSealed  = "rotate-sealed"
	PointHintWritten   = "hint-written"
	PointCompactCopied = "compact-copied" // the new file is durable under its temporary name
	PointCompactNamed  = "compact-named"  // and under its own
	PointCompactSwung  = "compact-swung"  // readers use it
	PointCompactDone   = "compact-done"   // the old files are gone
	PointRecoverCut    = "recover-cut"    // a torn end was cut
	PointRecoverSwept  = "recover-swept"  // leftovers are gone
)
