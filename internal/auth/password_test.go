package auth

import (
	"strings"
	"testing"
	"time"
)

func TestHashRoundTrip(t *testing.T) {
	h := newHasher()
	stored, err := h.make(t.Context(), "pässword with words")
	if err != nil || !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%q %v", stored, err)
	}
	again, _ := h.make(t.Context(), "pässword with words")
	if again == stored {
		t.Fatal("no salt")
	}
	for pw, want := range map[string]bool{"pässword with words": true, "Pässword with words": false, "": false} {
		if ok, err := h.verify(t.Context(), stored, pw); ok != want || err != nil {
			t.Errorf("%q: %v %v", pw, ok, err)
		}
	}
	if ok, err := h.verify(t.Context(), "", ""); ok || err != nil {
		t.Errorf("no hash: %v %v", ok, err)
	}
	if _, err := h.verify(t.Context(), "$2b$10$abc", "x"); err == nil {
		t.Error("another kind of hash was taken")
	}
}

// TestUnknownUserTakesAsLong: the same work is done without a stored hash. The
// bound is loose; it finds a missing hash (1000 × faster), not a noisy machine.
func TestUnknownUserTakesAsLong(t *testing.T) {
	h := newHasher()
	stored, _ := h.make(t.Context(), "some password")
	best := func(hash string) time.Duration {
		least := time.Hour
		for range 3 {
			start := time.Now()
			if _, err := h.verify(t.Context(), hash, "guess"); err != nil {
				t.Fatal(err)
			}
			least = min(least, time.Since(start))
		}
		return least
	}
	known, unknown := best(stored), best("")
	if unknown < known/5 {
		t.Fatalf("unknown users answer in %v, known ones in %v", unknown, known)
	}
}

func TestBucketsAreBounded(t *testing.T) {
	b := newBuckets(perPair)
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for i := range 3 * maxBuckets {
		b.get(now, time.Duration(i).String()).AllowN(now, 1)
	}
	if len(b.m) > maxBuckets {
		t.Fatalf("%d buckets", len(b.m))
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5a2V5")
	f.Add("$argon2id$v=19$m=4294967295,t=99,p=255$$")
	f.Add("")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePHC(s)
		if err == nil && (p.memory > 256*1024 || p.time > 10 || p.threads < 1) {
			t.Fatalf("%q: parameters out of bounds: %+v", s, p)
		}
	})
}
