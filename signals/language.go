package signals

import (
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"redalert/schemas"
	"redalert/signals/text"
)

// OtherLanguage answers the English name of the language of a customer's words
// where it is not English, the only one that the text model and the phrases
// know: as its source says, else by the words themselves. Scores, orders and
// every other hard rule hold in any language. It is pure.
func OtherLanguage(f schemas.Feedback) (name string, ok bool) {
	if strings.TrimSpace(f.ValueText) == "" {
		return "", false
	}
	tag, err := language.Parse(f.Language)
	if f.Language == "" || err != nil {
		return text.OtherLanguage(f.ValueText)
	}
	if base, _ := tag.Base(); base.String() == "en" || base.String() == "und" {
		return "", false
	}
	if name = display.English.Languages().Name(tag); name == "" {
		name = tag.String()
	}
	return name, true
}
