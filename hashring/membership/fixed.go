package membership

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"ringkv/hashring"
	"ringkv/hashring/following"
)

const (
	roundEvery   = time.Second            // how often a list of nodes is asked
	roundSpread  = 0.1                    // share by which that varies, so that processes don't ask in step
	roundTimeout = 500 * time.Millisecond // of one node's health check; a node that takes longer doesn't pass
)

// Fixed is a list of nodes given by hand, in place of Consul. The list never changes; which of its nodes pass is found
// by asking each of them every second. A node's id is its entry. Make it with NewFixed and call Run once; everything
// else is safe for concurrent use at any time.
type Fixed struct {
	*board
	members []Member
	probe   Probe
	log     *slog.Logger
	random  func() float64

	mu  sync.Mutex        // guards why
	why map[string]string // by id: why a node doesn't pass, as far as it was said
}

// NewFixed returns the list of nodes, each host:port and each once.
func NewFixed(nodes []string, probe Probe, options Options) (*Fixed, error) {
	if len(nodes) == 0 {
		return nil, errors.New("the list of nodes is empty: give host:port of each, separated by commas")
	}
	o := options.withDefaults()
	f := &Fixed{board: newBoard(), probe: probe, log: o.Log, random: o.Random, why: map[string]string{}}
	for _, node := range nodes {
		if err := checkNode(node); err != nil {
			return nil, err
		}
		if slices.ContainsFunc(f.members, func(m Member) bool { return m.ID == node }) {
			return nil, fmt.Errorf("node %q stands twice in the list: give each once", node)
		}
		f.members = append(f.members, Member{Member: hashring.Member{ID: node, Weight: 1}, Addr: node})
	}
	sortByID(f.members)
	if o.Metrics != nil {
		o.Metrics.MustRegister(boardGauges(f.board)...)
	}
	return f, nil
}

func checkNode(node string) error {
	host, port, err := net.SplitHostPort(node)
	if err != nil || host == "" {
		return fmt.Errorf("node %q in the list is not host:port, such as 127.0.0.1:5000", node)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("node %q in the list has no port between 1 and 65535", node)
	}
	return nil
}

// Members returns the whole list, passing or not, sorted by id. Placement follows from it, and so never changes.
func (f *Fixed) Members() []Member { return slices.Clone(f.members) }

// Run asks the nodes until ctx is done, and returns nil then. The first snapshot is there after one round.
func (f *Fixed) Run(ctx context.Context) error {
	for {
		up := serving(ctx, f.members, f.ask, roundTimeout)
		if ctx.Err() != nil {
			return nil
		}
		f.touch()
		f.publish(up, 0, f.log)
		spread := 1 + roundSpread*(2*f.random()-1)
		following.Pause(ctx, time.Duration(spread*float64(roundEvery)))
	}
}

// ask asks a node, and says in the log why it doesn't pass, once for each reason: with a list that is written by hand it may
// well be there, under another name.
func (f *Fixed) ask(ctx context.Context, m Member) error {
	err := f.probe(ctx, m)
	if errors.Is(err, context.Canceled) {
		return err // this program stops
	}
	why := reason(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	if why != "" && why != f.why[m.ID] {
		f.log.Info("node of the list does not pass", "node", m.ID, "reason", why)
	}
	f.why[m.ID] = why
	return err
}

// reason says what err does, without the port that a connection happened to have. It is empty for none.
func reason(err error) string {
	var op *net.OpError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &op):
		return op.Op + ": " + op.Err.Error()
	}
	return err.Error()
}
