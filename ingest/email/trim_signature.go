package email

import (
	"slices"
	"strings"
)

const (
	maxSignatureLines = 14
	maxSignatureBytes = 1500
)

// markSignatures marks signatures, taglines of phones, footers of lists and
// disclaimers among the lines still kept.
func (t *trimmer) markSignatures() {
	words := false
	for i := range t.lines {
		if t.marks[i] != kept || t.lines[i] == "" {
			continue
		}
		low := t.low(i)
		switch {
		case words && delimiter(t.lines[i]) && t.shortUntilNextMail(i+1):
			t.markBlock(i, signature)
		case words && footerRule(t.lines[i]) && t.footer(i+1):
			t.markBlock(i, signature)
		case low != "" && tagline(low):
			t.marks[i] = signature
		case words && disclaimer(low, t.lines[i]) && (i == 0 || t.lines[i-1] == ""):
			t.markParagraph(i)
		case !ruler(t.lines[i]):
			words = true
		}
	}
}

// delimiter knows "-- " and what programs make of it.
func delimiter(l string) bool {
	switch strings.TrimSpace(l) {
	case "--", "—", "––", "- --", "-- --":
		return true
	}
	return false
}

// footerRule is the line above the footer of a mailing list.
func footerRule(l string) bool { return len(l) >= 20 && strings.Trim(l, "_") == "" }

// markBlock marks the kept lines from i to the next mark or the end.
func (t *trimmer) markBlock(i int, m mark) {
	for ; i < len(t.lines) && t.marks[i] == kept; i++ {
		t.marks[i] = m
	}
}

func (t *trimmer) markParagraph(i int) {
	for ; i < len(t.lines) && t.lines[i] != "" && t.marks[i] == kept; i++ {
		t.marks[i] = signature
	}
}

// shortUntilNextMail guards against dashes between two parts of a letter: a
// signature is short.
func (t *trimmer) shortUntilNextMail(i int) bool {
	lines, bytes := 0, 0
	for ; i < len(t.lines) && t.marks[i] == kept; i++ {
		if t.lines[i] == "" {
			continue
		}
		lines++
		if bytes += len(t.lines[i]); lines > maxSignatureLines || bytes > maxSignatureBytes {
			return false
		}
	}
	return true
}

func (t *trimmer) footer(i int) bool {
	if !t.shortUntilNextMail(i) {
		return false
	}
	for ; i < len(t.lines) && t.marks[i] == kept; i++ {
		l := t.low(i)
		if strings.Contains(l, "mailing list") || strings.Contains(l, "unsubscribe") || strings.Contains(l, "lists.") || strings.Contains(l, "listinfo") {
			return true
		}
	}
	return false
}

// The beginnings of the lines that phones and programs add, lower case.
var taglines = []string{
	"sent from ", "sent via ", "sent with ", "sent by ", "sent using ", "get outlook for ", "get [outlook for ", "get bluemail for ",
	"from my iphone", "from my ipad", "from my android", "from my mobile", "von meinem ", "gesendet von ", "gesendet mit ",
	"diese nachricht wurde von meinem ", "holen sie sich outlook", "envoyé de ", "envoyé depuis ", "envoyé à partir de ",
	"envoyé avec ", "télécharger outlook pour ", "enviado desde ", "enviado do ", "enviado de ", "enviado con ", "obtener outlook para ",
	"inviato da ", "inviato con ", "scarica outlook per ", "verzonden met ", "verzonden vanaf ", "verstuurd vanaf ", "outlook voor ",
	"skickat från ", "sendt fra ", "hent outlook til ", "lähetetty ", "wysłane z ", "wysłano z ", "отправлено с ", "надіслано з ",
	"odesláno z ", "從我的", "从我的", "发自我的", "發自我的", "iphoneから送信", "iphone から送信",
}

// Words that make a device or a mail program of "sent from my …".
var devices = []string{
	"iphone", "ipad", "ipod", "android", "samsung", "galaxy", "huawei", "xiaomi", "htc", "nokia", "pixel", "oneplus", "blackberry",
	"windows", "outlook", "mail", "mobil", "phone", "handy", "telefon", "téléphone", "teléfono", "tablet", "cell", "device", "gerät",
	"appareil", "smartphone", "yahoo", "aol", "gmail", "airmail", "spark", "torch", "portable", "móvil", "cellulare",
}

// tagline reports whether a line was added by a phone or a mail program. "Sent
// from my desk, which is easier than …" is a sentence.
func tagline(low string) bool {
	low = strings.Trim(low, " <>()[]*_.-")
	if strings.HasSuffix(low, " from mobile") && len(strings.Fields(low)) <= 4 {
		return true
	}
	if len(low) > 200 || !slices.ContainsFunc(taglines, func(p string) bool { return strings.HasPrefix(low, p) }) {
		return false
	}
	if strings.HasPrefix(low, "get ") || !isLatinStart(low) {
		return true
	}
	clause, _, _ := strings.Cut(low, ",")
	words := strings.Fields(clause)
	if slices.ContainsFunc(devices, func(d string) bool { return strings.Contains(strings.Join(words[:min(len(words), 9)], " "), d) }) {
		return len(words) <= 12
	}
	return len(words) <= 7 && clause == low
}

func isLatinStart(s string) bool { return s != "" && s[0] < 0x80 }

// The beginnings of the paragraphs that companies append, lower case.
var disclaimers = []string{
	"confidentiality notice", "this email and any", "this e-mail and any", "this message and any", "this email is confidential",
	"this e-mail is confidential", "the information contained in this", "the contents of this e", "disclaimer:",
	"please consider the environment before", "diese e-mail enthält", "diese nachricht enthält vertrauliche", "diese e-mail und ",
	"ce message et ", "este mensaje y ", "este correo electrónico y ", "avviso di riservatezza", "le informazioni contenute in questa",
	"dit bericht en ", "de informatie in dit e-mailbericht",
}

func disclaimer(low, line string) bool {
	if low == "" { // a paragraph on one long line
		low = strings.ToLower(strings.Trim(cut(line, 80), " *_"))
	}
	return slices.ContainsFunc(disclaimers, func(p string) bool { return strings.HasPrefix(low, p) })
}
