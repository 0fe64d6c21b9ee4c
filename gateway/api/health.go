package api

import (
	"net/http"
	"strings"
	"unicode"

	"github.com/gin-gonic/gin"
)

// A State is what a program says of itself to Consul.
type State string

// The states. Only one that is ready gets a 200.
const (
	Starting State = "starting"
	Ready    State = "ready"
	Draining State = "draining"
	Failed   State = "failed"
)

// maxHealth is the size of a health page in bytes: Consul keeps 4 KiB, and cuts off the beginning of what is longer.
const maxHealth = 1000

// A HealthPage is the body of /health-check, as Consul's UI shows it. Nothing in it may change while nothing happens:
// each difference wakes everyone who watches the service.
type HealthPage struct {
	ID     string // the id that ?node= has to name
	State  State
	Reason string   // one line; why it isn't ready
	Waits  string   // one line; why it serves no requests yet although its check is to pass, as others wait for that
	Lines  []string // what else there is to know, line by line
}

// Health serves a page: 200 while it is ready, else 503 with the reason in the first line, and nothing but these two,
// since Consul takes 429 for a warning. A check that was meant for another id, because this program has its address now,
// finds out. Whoever names no id wants to know whether requests are served: it isn't told ready while the page waits.
func Health(page func() HealthPage) Handler {
	return func(c *gin.Context) Outcome {
		p := page()
		switch id := parameter(c.Request, "node"); {
		case id != "" && id != p.ID:
			p.State, p.Reason = Failed, "another node is asked for: this is "+p.ID
		case id == "" && p.State == Ready && p.Waits != "":
			p.State, p.Reason = Starting, p.Waits
		}
		if p.State != Ready {
			Text(c, http.StatusServiceUnavailable, p.text())
			return NotReady
		}
		Text(c, http.StatusOK, p.text())
		return OK
	}
}

func (p HealthPage) text() string {
	var b strings.Builder
	if p.State != Ready {
		b.WriteString(line(p.Reason, "not ready"))
	}
	b.WriteString(line("status: "+string(p.State), ""))
	for _, l := range p.Lines {
		l = line(l, "")
		if b.Len()+len(l) > maxHealth {
			break
		}
		b.WriteString(l)
	}
	return b.String()
}

// line returns s, clipped to 300 bytes, as one line, or what stands for it when it is empty.
func line(s, empty string) string {
	if s == "" {
		s = empty
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, clip(s, 300))
	return s + "\n"
}
