package signals

// Sampled is which of ids a refit would read, at most n.
func Sampled(ids []string, n int) []string {
	s := sampler{most: n}
	for _, id := range ids {
		s.add([]string{id})
	}
	return s.chosen()
}
