package wire

import "net"

// largeValue is from which size on a value goes to the kernel from where it lies. Below, copying it is cheaper.
const largeValue = 4 << 10

// A batch is frames that go out together. The zero batch is empty. Large values are not copied into it.
type batch struct {
	buf   []byte      // the frames, without large values
	from  int         // where in buf the bytes begin that parts doesn't have and that aren't written
	parts net.Buffers // frames with large values, and what lies before them
	size  int         // bytes of all
}

func (b *batch) request(id uint64, req *Request) {
	before := len(b.buf)
	var value []byte
	b.buf, value = appendRequest(b.buf, id, req)
	b.added(before, value)
}

func (b *batch) response(id uint64, resp *Response) {
	before := len(b.buf)
	var value []byte
	b.buf, value = appendResponse(b.buf, id, resp)
	b.added(before, value)
}

func (b *batch) signal(k kind) {
	before := len(b.buf)
	b.buf = appendSignal(b.buf, k)
	b.added(before, nil)
}

// added counts what lies behind before, and puts value behind that.
func (b *batch) added(before int, value []byte) {
	b.size += len(b.buf) - before + len(value)
	if value == nil {
		return
	}
	b.parts = append(b.parts, b.buf[b.from:], value)
	b.from = len(b.buf)
}

// writeTo writes all of the batch in one call, or goes on where an earlier call ended with an error. It returns how many
// bytes this call has given away.
func (b *batch) writeTo(conn net.Conn) (int64, error) {
	if len(b.parts) == 0 {
		n, err := conn.Write(b.buf[b.from:])
		b.from += n
		return int64(n), err
	}
	if b.from < len(b.buf) {
		b.parts = append(b.parts, b.buf[b.from:])
		b.from = len(b.buf)
	}
	return b.parts.WriteTo(conn)
}

// written reports whether all of the batch is.
func (b *batch) written() bool { return len(b.parts) == 0 && b.from == len(b.buf) }

// keptBuffer is how much of a buffer's memory is kept for the next batch.
const keptBuffer = 256 << 10

// reset empties the batch, and lets go of what it held.
func (b *batch) reset() {
	clear(b.parts)
	*b = batch{buf: b.buf[:0], parts: b.parts[:0]}
	if cap(b.buf) > keptBuffer {
		b.buf = nil
	}
}
