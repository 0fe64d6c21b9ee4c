package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"ringkv/node/store"
)

// A checked store is one whose Check has a known answer.
type checked struct {
	store.Store
	err error
}

func (c checked) Check(context.Context) error { return c.err }

func TestAFullDiskIsNoReasonToLeave(t *testing.T) {
	for _, c := range []struct {
		err    error
		leaves bool
	}{
		{nil, false},
		{fmt.Errorf("%w: %w", store.ErrFull, syscall.ENOSPC), false},
		{fmt.Errorf("%w: %w", store.ErrFull, syscall.EDQUOT), false},
		{fmt.Errorf("%w: %w", store.ErrFull, syscall.EROFS), true},
		{fmt.Errorf("check the disk: %w", syscall.EIO), true},
		{errors.New("anything else"), true},
	} {
		if err := checkDisk(t.Context(), checked{err: c.err}); (err != nil) != c.leaves {
			t.Errorf("checkDisk with %v = %v, want an error: %v", c.err, err, c.leaves)
		}
	}
}
