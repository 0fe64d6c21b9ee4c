package placement

// Losses says what becomes of the slots when nodes are given up for good.
type Losses struct {
	// Whole slots keep enough copies that nothing which was acknowledged is lost.
	Whole int `json:"whole"`
	// Short slots keep a copy, and fewer than it takes to know all that was acknowledged: they are served with what is left.
	Short int `json:"short"`
	// Empty slots keep none: they begin anew.
	Empty int `json:"empty"`
}

// Losses counts the slots by what is left of them when the nodes of these identities are given up, besides those that have
// been. settled says that all others hold everything of the present generation; otherwise the earlier ones in the log count
// as well, and the outcome is what may happen at worst. An error is Validate's.
func (d *Document) Losses(lost []string, settled bool) (Losses, error) {
	t, err := newTables(d, nil)
	if err != nil {
		return Losses{}, err
	}
	gone := make(map[string]bool, len(lost)+len(d.Lost))
	for _, names := range [][]string{lost, d.Lost} {
		for _, name := range names {
			gone[name] = true
		}
	}
	var out Losses
	for slot := range t.history {
		configs := t.history[slot]
		if settled {
			configs = configs[len(configs)-1:]
		}
		switch whole, copies := left(configs, gone); {
		case whole:
			out.Whole++
		case copies:
			out.Short++
		default:
			out.Empty++
		}
	}
	return out, nil
}

// left reports whether each config keeps so many of its owners that every majority of them had one of these, and whether
// any keeps one at all.
func left(configs []*Config, gone map[string]bool) (whole, copies bool) {
	whole = true
	for _, c := range configs {
		n := 0
		for _, identity := range c.Owners {
			if !gone[identity] {
				n++
			}
		}
		whole = whole && n >= len(c.Owners)-len(c.Owners)/2
		copies = copies || n > 0
	}
	return whole, copies
}
