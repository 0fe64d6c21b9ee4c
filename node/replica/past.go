package replica

import (
	"ringkv/node/record"
	"ringkv/node/wire"
)

// Bounds of what is remembered of versions that were held here.
const (
	pastVersions = 16      // of one key
	pastKeys     = 1 << 14 // those stored last: some 10 MB in all, more where keys are long
)

// pasts remember which versions the keys stored last have had here, so that a write that is refused can be told whether it was ever
// held. They don't outlive the process, and any of them may be forgotten at any time: nothing is known of that key then. Only the committer may use them.
type pasts struct {
	young, old map[string]*past // as many each, at most; old is forgotten when young is full
}

// A past is all versions of one key above since that were held here, the newest last. It is of use only where that is the one that is held now: else it
// could not be stored, or the key was collected or dropped since, and may have been anything.
type past struct {
	since record.Version
	held  []tenure
}

// A tenure is a version that was held.
type tenure struct {
	version    record.Version
	acceptedIn uint64 // the generation in which it was accepted, plus one; 0 where it came from another owner
}

func (p *past) newest() record.Version { return p.held[len(p.held)-1].version }

// of returns the past of key that ends with version, nil if none is known.
func (p *pasts) of(key string, version record.Version) *past {
	k := p.young[key]
	if k == nil {
		k = p.old[key]
	}
	if k == nil || k.newest() != version {
		return nil
	}
	return k
}

// note remembers that next takes the place of own. held is what own stands for, floor included: nothing is known of versions up to there.
func (p *pasts) note(key string, own, held record.Version, next tenure) {
	k := p.of(key, own)
	if k == nil {
		k = &past{since: held}
	}
	if len(k.held) == pastVersions {
		k.since = k.held[0].version
		k.held = append(k.held[:0], k.held[1:]...)
	}
	k.held = append(k.held, next)
	if p.young[key] == nil && len(p.young) >= pastKeys/2 {
		p.young, p.old = nil, p.young
	}
	if p.young == nil {
		p.young = make(map[string]*past)
	}
	p.young[key] = k
}

// forget forgets about key: what is held of it isn't what was noted.
func (p *pasts) forget(key string) {
	delete(p.young, key)
	delete(p.old, key)
}

// had says whether version v was ever held here, by one whose record is own and whose guard is guard, in a request of that generation.
//
// "Never" must be true for good, and means more: that nothing which was decided here can rest on v. So a ballot above v says no more than that it is
// unknown: who prepared it may have seen v elsewhere, and had this node promise to take nothing below it before it held what it holds now. What lies
// below the guard may have been lost here with a damaged record.
func (p *pasts) had(v record.Version, own record.Record, guard record.Version, generation uint64) wire.Had {
	k := p.of(own.Key, own.Version)
	if k == nil {
		return wire.HadUnknown
	}
	for _, t := range k.held {
		if t.version == v && t.acceptedIn == generation+1 {
			return wire.HadAccepted
		}
		if t.version == v {
			return wire.HadUnknown
		}
	}
	if v.After(k.since) && own.Version.After(v) && !own.Ballot.After(v) && v.After(guard) {
		return wire.HadNever
	}
	return wire.HadUnknown
}
