package signals_test

import (
	"testing"

	"redalert/schemas"
	"redalert/signals"
)

func TestOtherLanguage(t *testing.T) {
	for _, tc := range []struct{ tag, text, want string }{
		{"de", "Alles gut.", "German"},
		{"pt-BR", "Tudo certo.", "Brazilian Portuguese"},
		{"en-GB", "Fine.", ""},
		{"", "Fine.", ""},
		{"", "Ich warte seit drei Wochen auf meine Lieferung und niemand ruft mich an.", "German"},
		{"no such tag", "Ich warte seit drei Wochen auf meine Lieferung und niemand ruft mich an.", "German"},
		{"und", "Ich warte.", ""},
		{"de", "", ""}, // a score without words is read in any language
	} {
		got, ok := signals.OtherLanguage(schemas.Feedback{Language: tc.tag, ValueText: tc.text})
		if got != tc.want || ok != (tc.want != "") {
			t.Errorf("%s %q: %q, want %q", tc.tag, tc.text, got, tc.want)
		}
	}
}
