package seeded

import (
	"path"
	"testing"
)

// storeBugs are in node/store.
var storeBugs = []bug{
	{"acknowledged before the sync", "jsonstore/commit.go",
		"	if err := seg.file.Sync(); err != nil {\n		return s.fail(\"sync \"+seg.name(), err)\n	}\n", ""},
	{"acknowledges the waiters of the next write", "jsonstore/commit.go",
		"		r.done, r.err = true, err\n	}\n",
		"		r.done, r.err = true, err\n	}\n	s.queue.mu.Lock()\n	for _, r := range s.queue.waiting {\n		r.done, r.err = true, err\n	}\n	s.queue.mu.Unlock()\n"},
	{"failed sync ignored", "jsonstore/commit.go", "		return s.fail(\"sync \"+seg.name(), err)\n", "		_ = err\n"},
	{"failed sync taken for a full disk", "jsonstore/commit.go", "		return s.fail(\"sync \"+seg.name(), err)\n", "		return s.takeBackLocked(err)\n"},
	{"failed write not cut off", "jsonstore/commit.go", "err := seg.file.Truncate(seg.size.Load())", "err := error(nil)"},
	{"new segment without a sync of the directory", "jsonstore/rotate.go", "err := s.disk.SyncDir()", "err := error(nil)"},
	{"whole file without a sync of the directory", "disk/writefile.go", "err := d.SyncDir()", "err := error(nil)"},
	{"compacted segment not synced", "jsonstore/copier.go", "	return c.sync()\n}\n\nfunc (c *copier) copySegment", "	return nil\n}\n\nfunc (c *copier) copySegment"},
	{"compacted segment without a sync of the directory", "jsonstore/compact.go", "err := s.disk.SyncDir()", "err := error(nil)"},
	{"old segments removed before the rename", "jsonstore/compact.go", "	if err := s.disk.Rename(c.temp",
		"	for _, seg := range run[:len(run)-1] {\n		_ = s.disk.Remove(seg.name())\n	}\n	if err := s.disk.Rename(c.temp"},
	{"compaction misses writes that came meanwhile", "jsonstore/copier.go", "	moved := *at == m.from\n", "	moved := true\n"},
	{"torn end taken for damage", "jsonstore/load.go", "		err = l.finishLast(from)\n", "		l.judge.finish()\n		err = l.finishLast(from)\n"},
	{"torn end not cut", "jsonstore/load.go", "err := f.file.Truncate(good)", "err := error(nil)"},
	{"damage in the middle taken for a torn end", "jsonstore/judge.go", "	j.concede()\n	j.write, j.of", "	j.held = j.held[:0]\n	j.write, j.of"},
	{"last write of a failed disk trusted", "jsonstore/load.go", "	return l.rewrite(start, good)", "	return nil"},
	{"seal of a failed disk trusted", "jsonstore/load.go", "		return l.rewrite(l.sealAt, f.bytes)\n", "		return nil\n"},
	{"header of a killed process trusted", "jsonstore/load.go", "		start = 0\n", "		_ = good\n"},
	{"old segments removed before the new one's name is durable", "jsonstore/open.go",
		"	if err := s.disk.SyncDir(); err != nil {\n		return fmt.Errorf(\"sync the directory: %w\", err)\n	}\n	for _, name", "	for _, name"},
	{"late answer of a check thrown away", "jsonstore/check.go", "err := s.judgeCheck(s.probe.write())", "err := s.probe.write()"},
	{"checksum ignored", "jsonstore/decode.go", "crc == crc32.Update(head, castagnoli, value)", "crc32.Update(head, castagnoli, value) != crc+1"},
	{"older record served after damage", "jsonstore/index.go", "					t.flagLocked(i, flagUnsure, 0)\n", "					_ = i\n"},
	{"damaged key answered with what was before", "jsonstore/load.go", "	if p.headOK {\n		l.s.observe", "	if p.ok {\n		l.s.observe"},
	{"absent after damage", "jsonstore/store.go", "		case !ok && doubt:\n", "		case !ok && doubt && s == nil:\n"},
	{"damage forgotten by a hint", "jsonstore/hintfile.go", "if seg.damaged || seg.ident", "if seg.ident"},
	{"drop without a segment of its own", "jsonstore/commit.go", " || group[0].drops():", ":"},
	{"drop shares its write with what came before", "jsonstore/commit.go", "!q.waiting[0].drops() && !q.waiting[n].drops() && ", ""},
	{"drop not written", "jsonstore/commit.go", "	for _, slot := range group[0].batch.Drop {\n", "	for _, slot := range group[0].batch.Drop[:0] {\n"},
	{"drop left out of a hint", "jsonstore/hintfile.go", "if t.dropped.seg == seg {", "if t.dropped.seg == seg && t == nil {"},
	{"drop left out by a compaction that does not begin at the oldest segment", "jsonstore/copier.go", "t.dropped == s && oldest > 1", "t.dropped == s && oldest < 0"},
	{"slot dropped under a compaction", "jsonstore/copier.go", "	case int(m.what) < len(t.entries):\n", "	case m.what >= 0:\n"},
	{"forgotten tombstone left out while an older value is left", "jsonstore/copier.go", " || t.entries[i].first < uint32(oldest)", ""},
	{"forgotten tombstone without an owner", "jsonstore/forget.go", "	t.flagLocked(i, flagForgotten, 0)\n", "	t.flagLocked(i, flagForgotten, 0)\n	t.entries[i].spot = spot{}\n"},
	{"hint hides where a key's lines begin", "jsonstore/load.go", "	if listed < h.lines {\n", "	if listed > h.lines {\n"},
	{"line copied by a compaction taken for garbage that is gone", "jsonstore/copier.go", "e.first = min(e.first, number)", "e.first = max(e.first, number)"},
	{"new record forgets where its key's lines begin", "jsonstore/table.go", "old.keyLen, min(old.first, e.first)", "old.keyLen, e.first"},
	{"digest not updated where a record is replaced", "jsonstore/table.go", "		t.digest += e.weight(key) - old.weight(key)\n", ""},
	{"digest counts damaged records", "jsonstore/table.go", "flagDamaged|flagUnsure|flagForgotten) != 0", "flagForgotten) != 0"},
	{"ballot not covered by the checksum", "jsonstore/line.go", "		b = appendVersion(b, l.ballot)\n", "		b = appendVersion(b, l.origin)\n"},
	{"clock forgets what was promised", "jsonstore/line.go", "[]record.Version{l.origin, l.ballot}", "[]record.Version{l.origin}"},
	{"mark left out of a hint", "jsonstore/hint.go", "e.flags&(flagDeleted|flagMarked)", "e.flags&(flagDeleted)"},
	{"compaction carries older records past damage", "jsonstore/compact.go", "&& !(seg.lost && doubt)", "&& !(seg.lost && doubt && s == nil)"},
}

// TestEachBugOfTheStoreIsNoticed puts the bugs into a copy of the source, one at a time. It takes minutes.
func TestEachBugOfTheStoreIsNoticed(t *testing.T) {
	for _, b := range storeBugs {
		t.Run(b.name, func(t *testing.T) {
			b.file = path.Join("node/store", b.file)
			b.mustBeNoticed(t, "./node/store/...")
		})
	}
}
