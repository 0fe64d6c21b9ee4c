//go:build unix && !linux

package main

import "syscall"

// attributes of a child: a process group of its own, so that Ctrl-C reaches dev alone, which stops the children in order.
// What is left when dev is killed is found by the next run (see ledger.go).
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
