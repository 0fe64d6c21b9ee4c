package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"ringkv/node/wire"
)

// BenchmarkGRPC sends the same operations over one bidirectional gRPC stream, many in a message. It is given every
// advantage: bytes go through no protobuf, and there are no configs, versions, checksums, bounds or deadlines.
func BenchmarkGRPC(b *testing.B) {
	for _, callers := range []int{1, 64, 512} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			c := dialGRPC(b, serveGRPC(b))
			load(b, callers, valueSize, func(i int) func(*wire.Request) {
				done := make(chan []byte, 1)
				return func(req *wire.Request) {
					c.send(uint64(i), req, done)
					<-done
				}
			})
		})
	}
}

// rawCodec passes bytes through.
type rawCodec struct{}

func (rawCodec) Name() string                       { return "raw" }
func (rawCodec) Marshal(v any) ([]byte, error)      { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = data; return nil }

var batches = grpc.StreamDesc{StreamName: "Batches", ServerStreams: true, ClientStreams: true}

// An operation is: id, 8 bytes; op, 1; length of the key, 2; key; length of the value, 4; value.
func appendOp(b []byte, id uint64, op wire.Op, key string, value []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, id)
	b = append(b, byte(op))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(key)))
	b = append(b, key...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
	return append(b, value...)
}

// eachOp calls f with every operation of a batch; key and value are copies, as they'd be stored.
func eachOp(batch []byte, f func(id uint64, op wire.Op, key string, value []byte)) {
	for len(batch) > 0 {
		id, op := binary.LittleEndian.Uint64(batch), wire.Op(batch[8])
		keyEnd := 11 + int(binary.LittleEndian.Uint16(batch[9:]))
		valueEnd := keyEnd + 4 + int(binary.LittleEndian.Uint32(batch[keyEnd:]))
		f(id, op, string(batch[11:keyEnd]), append([]byte(nil), batch[keyEnd+4:valueEnd]...))
		batch = batch[valueEnd:]
	}
}

func serveGRPC(b *testing.B) (addr string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	held := newTrivial(valueSize).held.Value
	serve := func(_ any, stream grpc.ServerStream) error {
		for {
			var in, out []byte
			if err := stream.RecvMsg(&in); err != nil {
				return nil
			}
			eachOp(in, func(id uint64, op wire.Op, key string, value []byte) {
				if op == wire.OpRead {
					out = appendOp(out, id, op, "", held)
				} else {
					out = appendOp(out, id, op, "", nil)
				}
			})
			if err := stream.SendMsg(&out); err != nil {
				return err
			}
		}
	}
	desc := batches
	desc.Handler = serve
	server := grpc.NewServer(grpc.ForceServerCodec(rawCodec{}))
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "ringkv.Wire", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{desc}}, nil)
	go server.Serve(listener)
	b.Cleanup(server.Stop)
	return listener.Addr().String()
}

// grpcClient shares one stream between callers, as Pool does one connection: who sends puts its operation in line, and a
// writer sends all that is in line as one message.
type grpcClient struct {
	stream grpc.ClientStream
	wake   chan struct{}

	mu      sync.Mutex // guards the rest
	line    []byte
	waiting map[uint64]chan<- []byte
}

func dialGRPC(b *testing.B, addr string) *grpcClient {
	conn, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(), grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := conn.NewStream(ctx, &batches, "/ringkv.Wire/Batches")
	if err != nil {
		b.Fatal(err)
	}
	c := &grpcClient{stream: stream, wake: make(chan struct{}, 1), waiting: map[uint64]chan<- []byte{}}
	var parts sync.WaitGroup
	parts.Go(func() { c.write(ctx) })
	parts.Go(c.read)
	b.Cleanup(func() {
		cancel()
		conn.Close()
		parts.Wait()
	})
	return c
}

func (c *grpcClient) send(id uint64, req *wire.Request, done chan<- []byte) {
	c.mu.Lock()
	c.waiting[id] = done
	first := len(c.line) == 0
	c.line = appendOp(c.line, id, req.Op, req.Key, req.Record.Value)
	c.mu.Unlock()
	if first {
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

func (c *grpcClient) write(ctx context.Context) {
	for {
		select {
		case <-c.wake:
		case <-ctx.Done():
			return
		}
		runtime.Gosched() // others that are about to send join
		c.mu.Lock()
		batch := c.line
		c.line = nil
		c.mu.Unlock()
		if len(batch) > 0 && c.stream.SendMsg(&batch) != nil {
			return
		}
	}
}

func (c *grpcClient) read() {
	for {
		var in []byte
		if c.stream.RecvMsg(&in) != nil {
			return
		}
		eachOp(in, func(id uint64, op wire.Op, key string, value []byte) {
			c.mu.Lock()
			done := c.waiting[id]
			delete(c.waiting, id)
			c.mu.Unlock()
			done <- value
		})
	}
}
