// Package process runs ringkv as processes of this machine, with a real Consul, on real files, and breaks what containers keep out of
// reach: it kills at every moment of the write path, cuts the power of a file system, fills it, makes its fsync fail or stand still,
// freezes processes, and cuts single links between them. Its tests are behind a build tag:
//
//	make process           some rounds of each
//	make soak MINUTES=60   many, and a random mix for an hour
//
// The test program stands apart from the machine where it may, which takes root on Linux: it has a loopback interface, firewall rules
// and mounts of its own, which end with it. A test that this machine doesn't allow says so in capitals and is skipped.
package process
