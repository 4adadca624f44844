package email

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxOrderText = 64 << 10 // how far into the text numbers are looked for

var (
	// "order no. 12345", "Bestellnummer: AB-1234", "invoice #77".
	orderWordRE = regexp.MustCompile(`(?i)(?:^|[^\pL])(?:order|invoice|booking|reservation|purchase|job|ticket|bestell(?:ung|nummer|nr)|auftrag(?:s(?:nummer|nr))?|rechnung(?:s(?:nummer|nr))?|buchung(?:s(?:nummer|nr))?|commande|facture|réservation|pedido|factura|reserva|ordine|fattura|prenotazione|bestelling|factuur|zamówieni[ea])` +
		`(?:[ \t]+(?:number|num|nummer|numéro|número|numero|reference|ref|id|nr|no|n))?[ \t]*([.:#°º]|nr\.?|no\.?)*[ \t]*((?:[A-Z]{1,8}[-_/ ]?)?[0-9][0-9A-Z_/-]{0,30})`)
	// "INV-2024-0012", "ORD1001": letters that only an order number has.
	orderPrefixRE = regexp.MustCompile(`(?:^|[^\pL\pN_-])((?:INV|ORD|ORDER|RE|SO|PO|JOB|WO|BK|BEST|AUF|CMD|FAC)[-_ ]?[0-9][0-9A-Z_/-]{2,30})`)
	// "#12345".
	orderHashRE = regexp.MustCompile(`(?:^|[^\pL\pN&#/])#[ \t]?((?:[A-Z]{1,5}-?)?[0-9]{3,12}(?:-[0-9A-Z]{1,8})?)(?:$|[^\pL\pN])`)
	dateRE      = regexp.MustCompile(`^(?:\d{4}[-/]\d{1,2}([-/]\d{1,2})?|\d{1,2}[-/]\d{1,2}[-/]\d{2,4})$`)
)

// OrderRef finds the first order, invoice or booking number that a subject, or
// else a text, names; "" when there is none. Dates, years, telephone numbers
// and quantities ("order 2 pizzas") are not taken for one. The number comes
// back as written, without "#".
func OrderRef(subject, text string) string {
	for _, s := range []string{subject, cut(text, maxOrderText)} {
		if ref := orderIn(s); ref != "" {
			return ref
		}
	}
	return ""
}

// maxDigitRuns bounds how many numbers of one text are looked at.
const maxDigitRuns = 300

// orderIn looks at each run of digits with the few words before it: going by
// the digits keeps the patterns off the rest of the text.
func orderIn(s string) string {
	runs := 0
	for _, find := range []func(window string) (ref string, end int, marked bool){byWord, byShape} {
		for i := 0; i < len(s) && runs < maxDigitRuns; {
			d := strings.IndexAny(s[i:], "0123456789")
			if d < 0 {
				break
			}
			i += d
			end := i
			for end < len(s) && isRefByte(s[end]) {
				end++
			}
			runs++
			from := max(0, i-windowBefore)
			for from > 0 && !utf8.RuneStart(s[from]) {
				from--
			}
			window := s[from:min(end+1, len(s))]
			if ref, stop, marked := find(window); ref != "" {
				if ref = plausible(ref, s[from+stop:], marked); ref != "" {
					return ref
				}
			}
			i = end
		}
	}
	return ""
}

// windowBefore is how far before its digits a number is announced.
const windowBefore = 48

func isRefByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-' || c == '_' || c == '/'
}

func byWord(w string) (ref string, end int, marked bool) {
	for _, m := range orderWordRE.FindAllStringSubmatchIndex(w, -1) {
		ref, end, marked = w[m[4]:m[5]], m[5], m[2] >= 0 || hasNumberWord(w[m[0]:m[4]])
	}
	return ref, end, marked // the last is nearest to the digits
}

func byShape(w string) (ref string, end int, marked bool) {
	for _, re := range []*regexp.Regexp{orderPrefixRE, orderHashRE} {
		if m := re.FindStringSubmatchIndex(w); m != nil {
			return w[m[2]:m[3]], m[3], true
		}
	}
	return "", 0, false
}

var numberWordRE = regexp.MustCompile(`(?i)(number|nummer|nr|num[eé]ro|número|reference|\bref|\bid|\bno)\b`)

func hasNumberWord(s string) bool { return numberWordRE.MatchString(s) }

// plausible checks what was found: rest is what follows it, marked says that a
// "#", a colon or a word such as "no." announced it.
func plausible(ref, rest string, marked bool) string {
	ref = strings.TrimRight(ref, "-_/ ")
	digits := strings.Count(strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '0'
		}
		return r
	}, ref), "0")
	next, _, _ := strings.Cut(rest, " ")
	switch {
	case digits < 3 && !(marked && digits >= 2):
		return ""
	case dateRE.MatchString(ref), strings.HasPrefix(rest, ":"), strings.HasPrefix(next, "."+"0"):
		return ""
	case digits > 20 || len(ref) > 40:
		return ""
	case !marked && digits == len(ref) && (digits < 4 || isYear(ref)):
		return ""
	case len(rest) > 1 && (rest[0] == '.' || rest[0] == ',') && unicode.IsDigit(rune(rest[1])):
		return "" // an amount: 1,299.00
	}
	return ref
}

func isYear(s string) bool {
	return len(s) == 4 && (strings.HasPrefix(s, "19") || strings.HasPrefix(s, "20"))
}
