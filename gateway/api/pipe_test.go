package api

import (
	"bytes"
	"io"
	"net"
	"sync"
	"time"
)

// A pipe is a connection on which a client sends fixed bytes and then no more, and takes down what comes back.
type pipe struct {
	in     *bytes.Reader
	out    bytes.Buffer // read it when closed is
	once   sync.Once
	closed chan struct{}
}

func newPipe(request []byte) *pipe {
	return &pipe{in: bytes.NewReader(request), closed: make(chan struct{})}
}

func (p *pipe) Read(b []byte) (int, error) {
	select {
	case <-p.closed:
		return 0, io.ErrClosedPipe
	default:
		return p.in.Read(b)
	}
}

func (p *pipe) Write(b []byte) (int, error)      { return p.out.Write(b) }
func (p *pipe) Close() error                     { p.once.Do(func() { close(p.closed) }); return nil }
func (p *pipe) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (p *pipe) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// A pipeListener accepts the pipes that it is handed.
type pipeListener struct {
	conns  <-chan *pipe
	once   sync.Once
	closed chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case p := <-l.conns:
		return p, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }
