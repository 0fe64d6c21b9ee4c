package seeded

import (
	"strings"
	"testing"
)

// protocolBugs are in what nodes and gateways agree on. Each names the arguments of the go test that must fail.
var protocolBugs = []struct {
	bug
	tests string
}{
	// A corrupt or empty copy wins.
	{bug{"damaged copy answered as absent", "node/replica/stored.go",
		"			return record.Record{}, store.ErrCorrupt\n", "			return record.Record{Key: key}, nil\n"},
		"./node/replica -run Damage"},
	{bug{"slot settled by its only owner with damage that nobody told of", "node/replica/settle.go",
		"if len(config.Owners) == 1 && r.damaged(slot) && ", "if false && "},
		"./node/replica -run TestSlotDoesNotMoveToItsDamage"},
	{bug{"slot taken for empty since nobody knows of anything", "node/replica/complete.go", "return c.nothingLeft()", "return true"},
		"./node/replica -run TestNodeOnAnotherDisk|TestCompleteWithLostNodes"},
	{bug{"other disk under the same name counted as the one before", "node/replica/collection.go",
		"resp.Pulled.Node != identity:", "resp.Pulled.Node == \"\":"},
		"./node/replica -run TestNodeOnAnotherDisk"},

	// A former owner drops its copy before every owner has settled.
	{bug{"slot dropped once one owner has settled", "node/replica/drop.go",
		"			t.settled[identity] = true\n", "			t.settled[identity] = true\n			return nil\n"},
		"./node/replica -run TestMovedSlotsAreFreed"},

	// The ring changes between an acknowledgement and the move.
	{bug{"key not pulled before it is used", "node/replica/admit.go", "case !s.settled() && !r.entering.ready(slot, c, key):", "case false:"},
		"./node/replica -run TestKeyIsPulled"},
	{bug{"configs whose owners aren't asked left out of the rule", "node/replica/collection.go",
		"	configs := c.r.known(c.slot, c.s)\n", "	if c.only != nil {\n		return []*placement.Config{c.only}\n	}\n	configs := c.r.known(c.slot, c.s)\n"},
		"./node/replica -run TestCompleteWithLostNodes"},
	{bug{"one answer taken for a majority", "node/replica/complete.go", "min(len(config.Owners)/2+1, left)", "min(1, left)"},
		"./node/replica -run TestConfigThatOnly"},
	{bug{"config that others have promised is not asked", "node/replica/complete.go",
		"		told.add(history)\n", ""},
		"./node/replica -run TestConfigThatOnly"},
	{bug{"promise not durable", "node/replica/batch.go",
		"		b.out.Slots = append(", "		if s := b.r.slots[slot].Load(); s != nil && !b.states[slot].settled() {\n			b.states[slot], s = s, b.states[slot]\n			defer func() { b.r.slots[slot].Store(s) }()\n		}\n		b.out.Slots = append("},
		"./node/replica -run TestConfigsAreKeptApart"},
	{bug{"acknowledgements of two configs counted together", "gateway/coordinator/store.go",
		"	s.holders, s.beaten, s.never = nil, nil, 0\n", "	s.beaten, s.never = nil, 0\n"},
		"./gateway/coordinator -run TestCopiesInTwoConfigs"},

	// A losing write is acknowledged.
	{bug{"older write acknowledged", "node/replica/rules.go",
		"	default:\n		it.answer = superseded(held.Version, own.Ballot, s.Guard)\n", "	default:\n"},
		"./node/replica -run TestWhatIsTaken"},
	{bug{"write covered by one that a ballot may have hidden", "node/replica/rules.go",
		"!held.Derived && firm && free:", "!held.Derived && firm && rec.Version.After(s.Guard):"},
		"./node/replica -run TestWhatIsTaken"},
	{bug{"refused write-back counted as held", "gateway/coordinator/store.go",
		"	case r.Err == nil && r.Response.Status == wire.OK:\n		s.holders",
		"	case r.Err == nil && (r.Response.Status == wire.OK || s.op == wire.OpWriteBack && r.Response.Status == wire.Superseded):\n		s.holders"},
		"./integration/simulation -run ^TestSimulation$ -seeds 100"},
	{bug{"ballots left behind by pulls", "node/replica/told.go",
		"		best = record.Newer(best, rec)\n", "		rec.Ballot = record.Version{}\n		best = record.Newer(best, rec)\n"},
		"./node/replica -run TestPullsBring"},
	{bug{"ballots left behind by pulls from those who hold the same", "node/replica/answer.go",
		"	if p.Same = r.store.Plain(slot); p.Same {\n", "	if p.Same = true; p.Same {\n"},
		"./node/replica -run TestWhoHoldsTheSame"},
	{bug{"other floor taken for the same", "node/replica/answer.go", " + store.Fingerprint(\"\", s.Floor, true)", ""},
		"./node/replica -run TestWhoHoldsTheSame"},
	{bug{"what is the same and not told of taken for deleted", "node/replica/told.go", "} else if got.Same {", "} else if false {"},
		"./node/replica -run TestWhoHoldsTheSame"},
	{bug{"ballots left behind by the pull of a key that is here", "node/replica/pull.go", " || best.Ballot.After(own.Ballot)", ""},
		"./node/replica -run TestPullOfAHeldKey"},
	{bug{"record that was pulled under a ballot counted as accepted", "node/replica/firm.go",
		"	return ok && was == acceptance{v, generation}", "	return !ok || was == acceptance{v, generation}"},
		"./gateway/coordinator -run TestBallotsLeftBehind"},
	{bug{"mismatch reported before what it saw is held by a quorum", "gateway/coordinator/cas.go",
		"			if _, err = o.confirm(b); err == nil {\n				err = preconditionFailed(before)\n			}", "			err = preconditionFailed(before)"},
		"./gateway/coordinator -run TestMismatch"},

	// A write that somebody has seen, or may yet see, is taken for one without effect; or one without effect is acknowledged.
	{bug{"write without a query covered", "node/replica/rules.go",
		"req.Op == wire.OpWrite && req.Queried && held", "req.Op == wire.OpWrite && held"},
		"./node/replica -run TestRefusedWrites"},
	{bug{"never said of what may have been held before a restart", "node/replica/past.go",
		"k = &past{since: held}", "k = &past{}"},
		"./node/replica -run TestPastsDoNotOutlive"},
	{bug{"never said of what was forgotten since there was too much", "node/replica/past.go",
		"		k.since = k.held[0].version\n", ""},
		"./node/replica -run TestLongPasts"},
	{bug{"never said of what was brought by another owner", "node/replica/past.go",
		"		if t.version == v {\n			return wire.HadUnknown\n		}\n", ""},
		"./node/replica -run TestRefusedWrites"},
	{bug{"never said below a ballot", "node/replica/past.go",
		" && !own.Ballot.After(v)", ""},
		"./node/replica -run TestRefusedWrites"},
	{bug{"never said below the guard", "node/replica/past.go",
		" && v.After(guard)", ""},
		"./node/replica -run TestRefusedWrites"},
	{bug{"never said after a past with a gap", "node/replica/past.go",
		"if k == nil || k.newest() != version {", "if k == nil {"},
		"./node/replica -run TestBrokenPasts"},
	{bug{"what was brought by another owner counted as accepted", "node/replica/batch.go",
		"tenure{version: rec.Version}", "tenure{rec.Version, s.Promised.Generation + 1}"},
		"./node/replica -run TestRefusedWrites"},
	{bug{"what was accepted in an earlier config counted in this one", "node/replica/past.go",
		"t.acceptedIn == generation+1", "t.acceptedIn > 0"},
		"./node/replica -run TestAcceptedInOneConfig"},
	{bug{"refused before what that rests on is durable", "node/replica/commit.go",
		"	err := b.apply()\n",
		"	for _, it := range items {\n		if it.answer.Status == wire.Superseded {\n			it.respond(it.answer)\n			it.respond = func(wire.Response) {}\n		}\n	}\n	err := b.apply()\n"},
		"./node/replica -run TestRefusalsWait"},
	{bug{"refused by what could not be stored", "node/replica/batch.go",
		"	if place, staged := b.records[key]; staged {\n		it.staged = true\n		return", "	if place, staged := b.records[key]; staged {\n		return"},
		"./node/replica -run TestRefusalsWait"},
	{bug{"one owner too few that never held it", "gateway/coordinator/fate.go",
		"s.never >= everyMajority(len(s.o.owners))", "s.never >= len(s.o.owners)-s.o.w+1"},
		"./gateway/coordinator -run TestWhatBecomes"},
	{bug{"copies in earlier configs overlooked", "gateway/coordinator/fate.go",
		"s.op == wire.OpWrite && s.elsewhere == 0 && ", "s.op == wire.OpWrite && "},
		"./gateway/coordinator -run TestWhatBecomes"},
	{bug{"put that doesn't ask first while an owner is silent", "gateway/coordinator/calm.go",
		"if !owner.Passing || o.c.peers.Silent(owner.ID) ||", "if !owner.Passing && o.c.peers.Silent(owner.ID) ||"},
		"./gateway/coordinator -run TestPutAsksFirst"},
	{bug{"put that doesn't ask first while an owner takes nothing", "gateway/coordinator/calm.go",
		" || o.c.refusers.has(owner.ID)", ""},
		"./gateway/coordinator -run TestPutAsksFirst"},
	{bug{"second attempt below what beat the first", "gateway/coordinator/write.go",
		"	before := later(s.base, s.above)\n", "	before := s.base\n"},
		"./gateway/coordinator -run TestWhatBecomes|TestPutThatComesTooLate"},

	// Versions begin again, or are used twice.
	{bug{"clock begins at the wall after a restart", "node/replica/replica.go", "opt.Clock.Observe(st.MaxVersion())", "_ = st.MaxVersion()"},
		"./node/replica -run TestClockGoesOn"},
	{bug{"clock begins again under the same name", "node/record/clock.go", "s.last, s.writer = 0, renamed(s.writer)", "s.last = 0"},
		"./node/record"},

	// A version from the future.
	{bug{"version from the future taken", "node/replica/rules.go",
		"	if !record.TooFarAhead(v, base, b.r.opt.Now(), b.r.opt.MaxSkew) {\n		return false\n	}\n	b.r", "	if v == v {\n		return false\n	}\n	b.r"},
		"./node/replica -run Far"},
	{bug{"successor of a version from the future refused", "node/record/clock.go", "max(hlc(now), base.HLC)", "hlc(now)"},
		"./node/replica -run Far"},
	{bug{"clock that ran ahead stays there", "node/record/clock.go", "	if s.last >= limit {\n", "	if s.last+1 == 0 {\n"},
		"./node/record"},

	// A tombstone is dropped too early.
	{bug{"guard not minded", "node/replica/rules.go",
		"free := !own.Ballot.After(rec.Version) && rec.Version.After(s.Guard)", "free := !own.Ballot.After(rec.Version)"},
		"./node/replica -run TestWhatIsTaken"},
	{bug{"floor without a guard", "node/replica/guard.go", "	case floor.After(s.Guard):", "	case floor.IsZero():"},
		"./node/replica -run TestFloorNeedsAGuard"},
	{bug{"floor told before all owners hold what is below it", "node/replica/collect.go",
		"	if err := a.run(ctx); err != nil {\n		return err\n	}\n", "	_ = a.run(ctx)\n"},
		"./node/replica -run TestNothingIsCollectedUntil"},
	{bug{"floor not moved by pulls", "node/replica/told.go", "floor = later(floor, got.Floor)", "_ = got"},
		"./node/replica -run TestPullsBring"},

	// What is damaged is replaced while somebody still uses what it was.
	{bug{"damage replaced while answers are in use", "node/replica/doubt.go", "return max(2*windowTime, r.opt.MaxSkew)", "return r.opt.MaxSkew"},
		"./node/replica -run TestDamageWaits"},
	{bug{"damage replaced during a comparison", "node/replica/upkeep.go",
		"		turn <- struct{}{} // whoever has it ends with ctx\n		err := m.pass(ctx)\n		<-turn\n", "		err := m.pass(ctx)\n"},
		"./node/replica -run TestMendingWaits"},
	{bug{"promise replaced after the doubt", "node/replica/batch.go", "if !b.r.doubt[it.slot].Load() {", "if b.r == nil {"},
		"./node/replica -run TestWhatIsPromisedAfter"},

	// A stale node pushes what others have deleted or replaced.
	{bug{"older record taken over a newer one", "node/replica/batch.go",
		"	newer := rec.Version.After(held.Version)\n", "	newer := rec.Version != held.Version && !rec.Version.IsZero()\n"},
		"./node/replica -run TestCollectionIsCutOff|TestNothingIsCollectedUntil"},
	{bug{"tombstone taken for a lack", "node/replica/align.go",
		"if rec := of(owner); rec.Version.After(d.newest.Version) {", "if rec := of(owner); rec.Exists() && rec.Version.After(d.newest.Version) {"},
		"./node/replica -run TestOwnersConverge|TestNodeThatWasAway"},

	// An empty answer of Consul is taken for the truth.
	{bug{"empty answer believed", "hashring/membership/judge.go",
		"	return len(next) == 0 || removed > 1 && 2*removed > total\n", "	return len(next) == 0 && total < 0\n"},
		"./hashring/membership -run TestJudge"},
	{bug{"quorum of those that pass", "gateway/coordinator/operation.go",
		"	o.config, o.owners = config, owners\n",
		"	var up []placement.Owner\n	for _, owner := range owners {\n		if owner.Passing {\n			up = append(up, owner)\n		}\n	}\n	owners = up\n	o.config, o.owners = config, owners\n"},
		"./gateway/coordinator -run TestOwnersThatDoNotPass"},
	{bug{"new cluster begun while a placement may be remembered", "node/keeper/propose.go",
		"	case len(silent) > 0:\n", "	case len(silent) < 0:\n"},
		"./node/keeper -run TestPropose|TestKeeperDoesNotBeginAnew"},

	// A reply is taken for that to another request.
	{bug{"round used again while replies are on their way", "gateway/coordinator/round.go",
		"	if r.timer.Stop() && r.pending == 0 {\n", "	if r.pending = 0; r.timer.Stop() {\n"},
		"./gateway/coordinator -run TestLateReplies -timeout 1m"},
	{bug{"round used again while its timer's mark is among the replies", "gateway/coordinator/round.go",
		"	if r.timer.Stop() && r.pending == 0 {\n", "	if r.timer.Stop(); r.pending == 0 {\n"},
		"./gateway/coordinator -run TestSlownessIsNobodysElse -timeout 1m"},

	// Part of a write takes effect, later or twice.
	{bug{"write tried under another version while a copy is stored", "gateway/coordinator/fate.go",
		"return s.stored == 0 && s.doubtful == 0 }", "return true }"},
		"./gateway/coordinator -run TestNoUpdateIsLost|TestLinearizable"},
	{bug{"partial write reported as nothing", "gateway/coordinator/fate.go",
		"	case s.doubtful > 0:\n", "	case s.doubtful < 0:\n"},
		"./gateway/coordinator -run LeavesTheOutcomeUnknown|LeaveTheOutcomeUnknown"},
	{bug{"body cut short stored as a value", "gateway/api/body.go",
		"	_, err := io.ReadFull(r.Body, value)\n	return value, err\n", "	n, _ := io.ReadFull(r.Body, value)\n	return value[:n], nil\n"},
		"./gateway/api -run TestBadInput|TestAbortedWrites"},
}

// TestEachBugOfTheProtocolIsNoticed puts the bugs into a copy of the source, one at a time. It takes minutes.
func TestEachBugOfTheProtocolIsNoticed(t *testing.T) {
	for _, b := range protocolBugs {
		t.Run(b.name, func(t *testing.T) { b.mustBeNoticed(t, strings.Fields(b.tests)...) })
	}
}
