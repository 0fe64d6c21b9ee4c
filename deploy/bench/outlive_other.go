//go:build !linux

package main

import "syscall"

// attributes of a child: none, since nothing is started where there is no Linux.
func attributes() *syscall.SysProcAttr { return nil }
