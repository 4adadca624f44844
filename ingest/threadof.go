package ingest

import "slices"

// maxReferences bounds how many references of one mail count: the oldest and
// the latest ones. A longer chain is broken software or an attack.
const maxReferences = 100

// ThreadNames are the Message-IDs by which a mail's thread may be known: its
// references, oldest first, then its own; empty ones and repeats left out, and
// the middle of very long chains.
func ThreadNames(messageID string, references []string) []string {
	if n := len(references); n > maxReferences {
		references = slices.Concat(references[:1], references[n-maxReferences+1:])
	}
	names := make([]string, 0, len(references)+1)
	for _, m := range append(slices.Clone(references), messageID) {
		if m != "" && !slices.Contains(names, m) {
			names = append(names, m)
		}
	}
	return names
}

// ThreadOf decides which thread a mail belongs to, given the threads known so
// far: that of the mail itself, else of the first known name, else the first
// name. Names come from ThreadNames and must not be empty.
func ThreadOf(messageID string, names []string, known func(string) (thread string, ok bool)) string {
	if messageID != "" {
		if t, ok := known(messageID); ok {
			return t
		}
	}
	for _, m := range names {
		if t, ok := known(m); ok {
			return t
		}
	}
	return names[0]
}
