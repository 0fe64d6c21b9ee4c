//go:build integration && linux

package process

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"
)

// A Disk is a file system of its own for one test, on a loop device, in memory. What a machine's file system does when the power
// goes, it does when told.
type Disk struct {
	dir   string // where it's mounted
	image string
}

// NewDisk makes an ext4 file system. It isn't mounted yet.
func NewDisk(t testing.TB) *Disk {
	t.Helper()
	needApart(t)
	need(t, "mkfs.ext4", "e2fsprogs")
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		cannot(t, "it needs loop devices: "+err.Error())
	}
	memory := MountTmpfs(t, "512m")
	d := &Disk{dir: t.TempDir(), image: filepath.Join(memory, "ext4.img")}
	command(t, "truncate", "-s", "400M", d.image)
	command(t, "mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", d.image)
	t.Cleanup(func() {
		if err := syscall.Unmount(d.dir, 0); err != nil && err != syscall.EINVAL { // EINVAL: it isn't mounted
			t.Errorf("unmount the disk: %v", err)
		}
	})
	return d
}

// Mount mounts it. The kernel writes what isn't synced within so many seconds.
func (d *Disk) Mount(t testing.TB, commit int) {
	t.Helper()
	command(t, "mount", "-o", fmt.Sprintf("loop,commit=%d", commit), d.image, d.dir)
}

// Unmount unmounts it. Nothing may be open there.
func (d *Disk) Unmount(t testing.TB) {
	t.Helper()
	command(t, "umount", d.dir)
}

// What <linux/ext4.h> calls them: from here on nothing reaches the disk, not even the journal that is in memory.
const (
	ext4Shutdown   = 0x8004587d // EXT4_IOC_SHUTDOWN
	withoutJournal = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH
)

// CutPower loses whatever isn't on the disk. What is open there fails from now on.
func (d *Disk) CutPower(t testing.TB) {
	t.Helper()
	root, err := os.Open(d.dir)
	if err != nil {
		t.Fatal(err)
	}
	how := uint32(withoutJournal)
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, root.Fd(), ext4Shutdown, uintptr(unsafe.Pointer(&how)))
	if err := root.Close(); err != nil || errno != 0 {
		t.Fatalf("cut the power of %s: %v (%v)", d.dir, errno, err)
	}
}

// MountTmpfs mounts a file system of that size, in memory, and returns where.
func MountTmpfs(t testing.TB, size string) string {
	t.Helper()
	needApart(t)
	dir := t.TempDir()
	command(t, "mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir)
	t.Cleanup(func() { command(t, "umount", dir) })
	return dir
}
