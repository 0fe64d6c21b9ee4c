package jsonstore

// A piece is a stretch of a segment, one line as a rule, and what it turned out to be. A piece that is not ok is damage; of one that is headOK besides,
// it is known what it was about.
type piece struct {
	line
	off  int64
	size int
}

func (p *piece) end() int64 { return p.off + int64(p.size) }

// A judge tells the torn end of the last write from damage to what was durable.
//
// There is never more than one write to a segment that isn't durable yet, so whatever comes before a line of a later
// write was durable once. A write is known by the places of its lines. What is left over at the end of the last segment is
// a write that was torn: it was never acknowledged, and is cut. Everything else that can't be read is damage.
type judge struct {
	emit func(piece) // the pieces that count, in order

	write    uint64 // the write whose lines are coming
	of, next uint32 // its lines, and the one that has to come next; next > of when all have come
	broken   bool   // some of its lines can't be read or are missing
	hole     bool   // some are missing
	held     []piece
	memory   []byte // keys and values of held
	good     int64  // where what stays ends: behind the last whole write, as a rule
	start    int64  // where that write begins
	last     uint64 // the number after which the next write is numbered
}

func (j *judge) whole() bool { return j.next > j.of && !j.broken }

// feed takes the next piece.
func (j *judge) feed(p piece) {
	switch {
	case !p.headOK:
		j.hold(p)
	case p.place.write > j.write:
		j.begin(p)
	case p.place.write == j.write && p.place.of == j.of && p.place.line >= j.next:
		j.accept(p)
	default: // a line that is here twice, or was moved here
		p.ok, p.headOK = false, false
		j.hold(p)
	}
}

// begin deals with the first line seen of a later write: all that came before it was durable.
func (j *judge) begin(p piece) {
	startMissing := p.place.line > 1
	if j.whole() && startMissing && p.place.write == j.write+1 {
		// What can't be read since the last whole write is the start of this one.
		j.write, j.of, j.next, j.broken, j.hole = p.place.write, p.place.of, 1, true, true
		j.accept(p)
		return
	}
	if p.place.write > j.write+1 && j.whole() && len(j.held) == 0 {
		j.hold(piece{off: p.off}) // a whole write is missing
	}
	j.concede()
	j.write, j.of, j.next, j.broken, j.hole = p.place.write, p.place.of, 1, false, false
	j.start, j.good, j.last = p.off, p.off, p.place.write-1
	j.accept(p)
}

// accept takes a line of the present write that isn't before the one expected.
func (j *judge) accept(p piece) {
	j.hole = j.hole || p.place.line != j.next
	if j.hole || !p.ok || len(j.held) > 0 && !j.held[len(j.held)-1].headOK {
		j.broken = true
	}
	j.next = p.place.line + 1
	j.hold(p)
	if j.whole() {
		j.flush()
		j.start, j.good, j.last = j.good, p.end(), j.write
	}
}

// concede emits all that is held: what can't be read of it is damage.
func (j *judge) concede() {
	hole := j.hole || j.next <= j.of
	for i := range j.held {
		hole = hole && j.held[i].headOK
	}
	if hole { // lines are missing without a trace
		j.hold(piece{off: j.held[len(j.held)-1].end()})
	}
	j.flush()
}

func (j *judge) flush() {
	for _, p := range j.held {
		j.emit(p)
	}
	j.held, j.memory = j.held[:0], j.memory[:0]
}

// hold keeps a piece beyond the bytes it was read from.
func (j *judge) hold(p piece) {
	p.key, p.typ, p.value = j.keep(p.key), nil, j.keepValue(&p)
	j.held = append(j.held, p)
}

func (j *judge) keepValue(p *piece) []byte {
	if p.kind != kindState {
		return nil
	}
	return j.keep(p.value)
}

func (j *judge) keep(b []byte) []byte {
	from := len(j.memory)
	j.memory = append(j.memory, b...)
	return j.memory[from:len(j.memory):len(j.memory)]
}

// finish ends a segment of which all was durable: what is left over is damage. Without finish it is a torn write, to be
// cut at good.
func (j *judge) finish() {
	if !j.whole() || len(j.held) > 0 {
		j.concede()
	}
}
