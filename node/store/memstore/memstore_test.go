package memstore

import (
	"testing"

	"ringkv/node/store"
	"ringkv/node/store/storetest"
)

func TestIsACorrectStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Opener {
		opened := false
		return func(*testing.T) store.Store {
			if opened {
				return nil
			}
			opened = true
			return Open()
		}
	})
}
