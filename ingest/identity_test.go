package ingest

import (
	"slices"
	"testing"

	"redalert/schemas"
)

func TestCustomerKeys(t *testing.T) {
	for _, tt := range []struct {
		in   schemas.CustomerRef
		want []CustomerKey
	}{
		{schemas.CustomerRef{}, []CustomerKey{}},
		{schemas.CustomerRef{Name: "Ann"}, []CustomerKey{}},
		{schemas.CustomerRef{Ref: " K1\t", Email: " Ann@Example.COM ", Phone: "+31 (0)6-12"}, []CustomerKey{{RefKind, "K1"}, {EmailKind, "ann@example.com"}, {PhoneKind, "310612"}}},
		{schemas.CustomerRef{Ref: " ", Email: "none", Phone: "1234"}, []CustomerKey{}},
		{schemas.CustomerRef{Phone: "٠١٢٣٤٥٦"}, []CustomerKey{}}, // other digits than ours are left out
	} {
		if got := CustomerKeys(tt.in); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: %v, want %v", tt.in, got, tt.want)
		}
	}
}

// Customer ids are stored everywhere and must never change.
func TestCustomerIDsAreFixed(t *testing.T) {
	for key, want := range map[CustomerKey]string{
		{RefKind, "17850"}:             "8018f8c9-eb64-5761-af85-74db1fadcfb6",
		{EmailKind, "ann@example.com"}: "c627f98d-aad7-58d8-a6ca-3b9e6268d2d0",
		{PhoneKind, "31061234567"}:     "81c37e80-88f5-50d5-b49c-6aa3b8121ee1",
	} {
		if got := key.ID(); got != want {
			t.Errorf("%v gives %s, always gave %s", key, got, want)
		}
	}
}

func TestThreadNames(t *testing.T) {
	if got := ThreadNames("<m>", []string{"<a>", "", "<b>", "<a>", "<m>"}); !slices.Equal(got, []string{"<a>", "<b>", "<m>"}) {
		t.Errorf("got %v", got)
	}
	refs := make([]string, 300)
	for i := range refs {
		refs[i] = string(rune('a' + i))
	}
	got := ThreadNames("<m>", refs)
	if len(got) != maxReferences+1 || got[0] != refs[0] || got[1] != refs[201] || got[maxReferences] != "<m>" {
		t.Errorf("%d names, from %q, %q to %q", len(got), got[0], got[1], got[len(got)-1])
	}
	if len(refs) != 300 || refs[1] != "b" {
		t.Error("the caller's list was changed")
	}
}
