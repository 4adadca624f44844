package app

import "redalert/signals"

// unusuals finds what is unusual, for pages and digests alike: they share the
// counts it remembers.
func (a *App) unusuals() *signals.Unusuals {
	if a.unusual == nil {
		a.unusual = &signals.Unusuals{History: a.Stores.History, Business: a.Business}
	}
	return a.unusual
}
