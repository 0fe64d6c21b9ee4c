package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	every   = 5 * time.Millisecond // between two requests of the probe
	waiting = 500                  // how many of its requests may be without an answer at once
)

// answer is what became of one request of the probe.
type answer struct {
	method       string
	began, ended time.Time
	status       int   // 0 with err
	err          error // no answer
	body         string
}

func (a answer) good() bool          { return a.err == nil && a.status < 400 }
func (a answer) refusal() bool       { return a.err == nil && a.status == http.StatusServiceUnavailable }
func (a answer) took() time.Duration { return a.ended.Sub(a.began) }

// failure says what went wrong.
func (a answer) failure() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("%s was answered %d: %s", a.method, a.status, a.body)
}

// probe sends few requests beside wrk's load, reads and writes in turns at a constant rate, and notes when each is answered: it
// loads nothing, and sees how long nobody is served. That a request takes long doesn't hold up the next one.
type probe struct {
	client *http.Client
	random *rand.Rand
}

func newProbe() probe {
	return probe{
		client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: waiting}},
		random: rand.New(rand.NewPCG(1, 2)),
	}
}

// start does run beside the caller; wait returns what it does, and has to be called.
func (p probe) start(ctx context.Context, url string, v values, long time.Duration) (wait func() []answer) {
	answers := make(chan []answer, 1)
	go func() { answers <- p.run(ctx, url, v, long) }()
	return func() []answer { return <-answers }
}

// run sends requests for so long, and returns when all are answered.
func (p probe) run(ctx context.Context, url string, v values, long time.Duration) []answer {
	requests := make(chan answer, int(long/every)+2)
	var group errgroup.Group
	group.SetLimit(waiting)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	end := time.Now().Add(long)
	for i := 0; ctx.Err() == nil && i < cap(requests); i++ {
		now := <-ticker.C
		if now.After(end) {
			break
		}
		a := answer{method: []string{http.MethodGet, http.MethodPut}[i%2], began: now}
		at := url + v.key(1+p.random.IntN(v.keys))
		group.Go(func() error { // waits while too many are on their way, which shows as the gap it is
			requests <- p.ask(ctx, a, at, v.bytes)
			return nil
		})
	}
	_ = group.Wait() // no error is ever returned
	p.client.CloseIdleConnections()
	close(requests)
	var all []answer
	for a := range requests {
		all = append(all, a)
	}
	return all
}

func (p probe) ask(ctx context.Context, a answer, url string, bytes int) answer {
	body := ""
	if a.method == http.MethodPut {
		body = strings.Repeat("p", bytes)
	}
	request, err := http.NewRequestWithContext(ctx, a.method, url, strings.NewReader(body))
	if err == nil {
		var response *http.Response
		if response, err = p.client.Do(request); err == nil {
			a.status = response.StatusCode
			var body []byte
			body, err = read(response)
			if a.status >= 400 {
				a.body = string(body)
			}
		}
	}
	a.err, a.ended = err, time.Now()
	return a
}

// gap is the longest time between from and to in which no request of the method was answered well.
func gap(answers []answer, method string, from, to time.Time) time.Duration {
	var ends []time.Time
	for _, a := range answers {
		if a.method == method && a.good() && a.ended.After(from) && a.ended.Before(to) {
			ends = append(ends, a.ended)
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	longest, last := time.Duration(0), from
	for _, end := range append(ends, to) {
		longest = max(longest, end.Sub(last))
		last = end
	}
	return longest
}
