package wire

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Bounds of what a message may hold. The bound of a value is an option of Pool and Server.
const (
	MaxKey    = 1024 // bytes
	MaxNodeID = 128  // bytes
	MaxOwners = 16
	MaxType   = 256  // bytes
	MaxDetail = 1024 // bytes; longer ones are cut
)

// overhead is more than any message needs besides its value.
const overhead = 8 << 10

// maxConfig is the bytes of the longest config.
const maxConfig = 2 + 8 + 1 + MaxOwners*(1+MaxNodeID)

// frameLimit is the longest payload that is taken from someone who sends values of maxValue bytes: such a value, or a page
// of a slot without values, and a slot's history.
func frameLimit(maxValue int) int { return max(maxValue, maxPage) + MaxHistory*maxConfig + overhead }

var (
	errMalformed     = errors.New("the message is cut short, or goes on behind its end")
	errKeyLength     = fmt.Errorf("the key must have 1 to %d bytes", MaxKey)
	errKeyOfSlot     = errors.New("a question about a slot names a key")
	errNoKeys        = errors.New("a question about some keys of a slot names none")
	errTooManyKeys   = fmt.Errorf("a question about some keys of a slot names more than %d", MaxPage)
	errTypeTooLong   = fmt.Errorf("the content type is longer than %d bytes", MaxType)
	errValueTooLarge = errors.New("the value is larger than -max-value")
	errTooManyOwners = fmt.Errorf("the config has more than %d owners", MaxOwners)
	errNodeIDTooLong = fmt.Errorf("a node id is longer than %d bytes", MaxNodeID)
	errSlot          = errors.New("there is no such slot")
	errNoConfig      = errors.New("the request names no config")
	errUnknownOp     = errors.New("this node doesn't know that operation: it may be older than the asker")
)

// cutText cuts s to MaxDetail bytes, not within a character.
func cutText(s string) string {
	if len(s) <= MaxDetail {
		return s
	}
	end := MaxDetail
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
