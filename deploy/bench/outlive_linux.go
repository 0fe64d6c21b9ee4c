package main

import "syscall"

// attributes of a child: a process group of its own, so that Ctrl-C reaches bench alone, which stops the children in order;
// and death with bench's thread, so that nothing is left when bench is killed. See prctl(2), PR_SET_PDEATHSIG.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
