package wire

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Path is where a node's HTTP server takes the handshake: an HTTP/1.1 Upgrade (RFC 9110, 7.8).
const Path = "/wire"

// Versions of the protocol that this program speaks. Each side names its range, and the highest common one is spoken.
const (
	oldestVersion = 2 // a node that speaks 1 takes every write for one that was stamped after a query
	newestVersion = 2
)

const (
	upgradeToken   = "ringkv"
	headerVersions = "Ringkv-Versions" // "2-2" from the asker, "2" in the answer
	headerNode     = "Ringkv-Node"
	headerReplicas = "Ringkv-Replicas"
	headerCluster  = "Ringkv-Cluster"
	headerMaxValue = "Ringkv-Max-Value" // bytes; each side names what it accepts
	maxRefusal     = 1023               // bytes of a refusal
	maxHeaders     = 16 << 10
)

// errRefused: the node answered, and doesn't want this connection. The text says why.
var errRefused = errors.New("refused")

// A refusal is the answer to a handshake that fails.
type refusal struct {
	status int
	text   string
}

// A problem is a refusal as it is sent: problem details (RFC 9457), in the envelope of all errors of a node's routes.
type problem struct {
	Success   bool   `json:"success"`
	Error     string `json:"error"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Outcome   string `json:"outcome"`
	Retryable bool   `json:"retryable"`
}

// hello is what the asker says.
type hello struct {
	node     string
	replicas int
	cluster  string
	maxValue int
}

func (h hello) request(addr string) (*http.Request, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+addr+Path, nil)
	if err != nil {
		return nil, err
	}
	req.Header = http.Header{
		"Connection":   {"Upgrade"},
		"Upgrade":      {upgradeToken},
		headerVersions: {fmt.Sprintf("%d-%d", oldestVersion, newestVersion)},
		headerNode:     {h.node},
		headerReplicas: {strconv.Itoa(h.replicas)},
		headerCluster:  {h.cluster},
		headerMaxValue: {strconv.Itoa(h.maxValue)},
		"User-Agent":   {"ringkv"},
	}
	return req, nil
}

// shake says hello on a fresh connection and reads the answer through in. It returns the largest value that the node
// accepts, and a reader for what the node sends from there on.
func (h hello) shake(ctx context.Context, conn net.Conn, in io.Reader, addr string) (maxValue int, r *bufio.Reader, err error) {
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return 0, nil, err
		}
	}
	req, err := h.request(addr)
	if err != nil {
		return 0, nil, err
	}
	if err := req.Write(conn); err != nil {
		return 0, nil, fmt.Errorf("ask for %s: %w", Path, err)
	}
	limited := &io.LimitedReader{R: in, N: maxHeaders}
	r = bufio.NewReaderSize(limited, readBuffer)
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		return 0, nil, fmt.Errorf("read the answer to %s: %w", Path, err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return 0, nil, refusedBy(resp)
	}
	if resp.Header.Get("Upgrade") != upgradeToken || resp.Header.Get(headerVersions) != strconv.Itoa(newestVersion) {
		return 0, nil, fmt.Errorf("%w: it upgraded to something else than %s %d", errRefused, upgradeToken, newestVersion)
	}
	maxValue, err = strconv.Atoi(resp.Header.Get(headerMaxValue))
	if err != nil || maxValue < 0 {
		return 0, nil, fmt.Errorf("%w: it names no %s", errRefused, headerMaxValue)
	}
	if !stop() {
		return 0, nil, ctx.Err()
	}
	limited.N = 1<<63 - 1
	return maxValue, r, conn.SetDeadline(time.Time{})
}

// refusedBy returns the error of a handshake that was answered by anything but an upgrade.
func refusedBy(resp *http.Response) error {
	defer resp.Body.Close()
	if resp.Header.Get(headerVersions) == "" {
		return fmt.Errorf("%w: it answers %s with %d and is no ringkv node, or too old a one", errRefused, Path, resp.StatusCode)
	}
	var no problem
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxRefusal)).Decode(&no); err != nil {
		return fmt.Errorf("%w: it answers %s with %d, and why can't be read: %w", errRefused, Path, resp.StatusCode, err)
	}
	return fmt.Errorf("%w: %s", errRefused, printable(no.Detail))
}

// printable replaces what isn't fit for an error or a log line.
func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return ' '
		}
		return r
	}, s))
}

// judge checks an asker's handshake against what this node is. It returns the asker's bound for values.
func (o *ServerOptions) judge(r *http.Request) (maxValue int, no *refusal) {
	get := r.Header.Get
	if r.Method != http.MethodGet || r.ProtoMajor != 1 || !hasToken(get("Connection"), "upgrade") || get("Upgrade") != upgradeToken {
		return 0, &refusal{http.StatusUpgradeRequired, "this address is for ringkv's gateways and nodes: ask with an HTTP/1.1 Upgrade to ringkv"}
	}
	if low, high, ok := versionRange(get(headerVersions)); !ok || low > newestVersion || high < oldestVersion {
		return 0, &refusal{http.StatusUpgradeRequired, fmt.Sprintf("this node speaks versions %d-%d of the protocol, the asker %s: update the older one",
			oldestVersion, newestVersion, orNone(get(headerVersions)))}
	}
	if cluster := get(headerCluster); cluster != o.Cluster {
		return 0, &refusal{http.StatusConflict, fmt.Sprintf("this node belongs to the cluster %s, the asker to %s: compare -service", o.Cluster, orNone(cluster))}
	}
	if node := get(headerNode); node != o.Node {
		return 0, &refusal{http.StatusMisdirectedRequest, fmt.Sprintf("this is node %s, not %s", o.Node, orNone(node))}
	}
	if replicas := get(headerReplicas); replicas != strconv.Itoa(o.Replicas) {
		return 0, &refusal{http.StatusConflict, fmt.Sprintf("-replicas is %d here and %s at the asker: they must be equal everywhere", o.Replicas, orNone(replicas))}
	}
	maxValue, err := strconv.Atoi(get(headerMaxValue))
	if err != nil || maxValue < 0 {
		return 0, &refusal{http.StatusBadRequest, "the header " + headerMaxValue + " must name a number of bytes"}
	}
	return maxValue, nil
}

// send answers with the refusal. It names the versions spoken here, by which the asker knows it for a node's own.
func (no *refusal) send(w http.ResponseWriter) error {
	h := w.Header()
	h.Set(headerVersions, fmt.Sprintf("%d-%d", oldestVersion, newestVersion))
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	if no.status == http.StatusUpgradeRequired {
		h.Set("Upgrade", upgradeToken)
		h.Set("Connection", "Upgrade, close")
	} else {
		h.Set("Connection", "close")
	}
	w.WriteHeader(no.status)
	body := json.NewEncoder(w)
	body.SetEscapeHTML(false) // what an asker names would grow sixfold
	return body.Encode(problem{Error: "refused", Title: "Not a connection for this node", Status: no.status, Detail: no.text, Outcome: "none",
		Retryable: no.status == http.StatusServiceUnavailable})
}

// accept is the answer to a handshake that succeeds.
func (o *ServerOptions) accept() string {
	return fmt.Sprintf("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n%s: %d\r\n%s: %d\r\n\r\n",
		upgradeToken, headerVersions, newestVersion, headerMaxValue, o.MaxValue)
}

func versionRange(s string) (low, high int, ok bool) {
	from, to, found := strings.Cut(s, "-")
	if !found {
		return 0, 0, false
	}
	low, errLow := strconv.Atoi(from)
	high, errHigh := strconv.Atoi(to)
	return low, high, errLow == nil && errHigh == nil && low <= high
}

func hasToken(list, token string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(strings.TrimSpace(item), token) {
			return true
		}
	}
	return false
}

// orNone makes what an asker said fit for the refusal's text.
func orNone(s string) string {
	if s = printable(s); s == "" {
		return "none"
	} else if len(s) > MaxNodeID {
		return s[:MaxNodeID] + "..."
	}
	return s
}
