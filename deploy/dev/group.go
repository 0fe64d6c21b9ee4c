package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// patience is how long the children of one stage get to stop in order: a node needs up to three seconds to leave Consul, and as
// long again to finish its requests.
const patience = 10 * time.Second

// child is a process that was started.
type child struct {
	command
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	end  error         // why; to be read when done is closed
}

// group is the children in the order of their start. Not safe for concurrent use.
type group struct {
	out      *terminal
	patience time.Duration
	exits    chan *child // each child once, when it has ended
	stages   [][]*child
}

func newGroup(out *terminal, capacity int) *group {
	return &group{out: out, patience: patience, exits: make(chan *child, capacity)}
}

// start starts the commands as one stage: they are stopped together, before those of the stages that were there earlier.
func (g *group) start(commands ...command) error {
	g.stages = append(g.stages, nil)
	stage := &g.stages[len(g.stages)-1]
	for _, c := range commands {
		ch, err := g.launch(c)
		if err != nil {
			return fmt.Errorf("start %s: %w", c.name, err)
		}
		*stage = append(*stage, ch)
	}
	return nil
}

func (g *group) launch(c command) (*child, error) {
	output := &lines{to: g.out, name: c.name}
	ch := &child{command: c, cmd: exec.Command(c.path, c.args...), done: make(chan struct{})}
	ch.cmd.Env = append(os.Environ(), c.env...)
	ch.cmd.Stdout, ch.cmd.Stderr = output, output
	ch.cmd.SysProcAttr = attributes()
	// Should it leave a process behind that holds its output, that isn't waited for.
	ch.cmd.WaitDelay = time.Second
	if err := ch.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		ch.end = ch.cmd.Wait()
		output.flush()
		close(ch.done)
		g.exits <- ch // never blocks: there is room for every child
	}()
	return ch, nil
}

// alive are the children that have not ended.
func (g *group) alive() []*child {
	var list []*child
	for _, stage := range g.stages {
		for _, ch := range stage {
			select {
			case <-ch.done:
			default:
				list = append(list, ch)
			}
		}
	}
	return list
}

// stop ends all children, the last stage first, and returns when they are gone. A stage that outlives its patience is killed;
// so is everything at once when hurry fires.
func (g *group) stop(hurry <-chan os.Signal) {
	for i := len(g.stages) - 1; i >= 0; i-- {
		hurry = g.stopStage(g.stages[i], hurry)
	}
}

// stopStage returns the channel to watch for the stages that are left: one that has fired goes on to hurry them.
func (g *group) stopStage(stage []*child, hurry <-chan os.Signal) <-chan os.Signal {
	for _, ch := range stage {
		ch.signal(g.out, syscall.SIGTERM)
	}
	timer := time.NewTimer(g.patience)
	defer timer.Stop()
	for _, ch := range stage {
		select {
		case <-ch.done:
			continue
		case <-timer.C:
			g.out.printf("%s did not stop within %v: killing it\n", ch.name, g.patience)
		case <-hurry:
			hurry = fired()
		}
		for _, rest := range stage {
			rest.signal(g.out, syscall.SIGKILL)
		}
		<-ch.done
	}
	return hurry
}

// fired is a channel that can always be received from.
func fired() <-chan os.Signal {
	c := make(chan os.Signal)
	close(c)
	return c
}

// signal sends s to a child that has not ended.
func (ch *child) signal(out *terminal, s syscall.Signal) {
	select {
	case <-ch.done:
		return
	default:
	}
	// os.Process knows whether the child has been waited for, so that no other process of the same id can be hit.
	if err := ch.cmd.Process.Signal(s); err != nil && err != os.ErrProcessDone {
		out.printf("%s can't be sent %v: %v\n", ch.name, s, err)
	}
}

// reason says how a child ended.
func (ch *child) reason() string {
	if ch.end == nil {
		return "exit status 0"
	}
	return ch.end.Error()
}
