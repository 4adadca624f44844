package email

import (
	"regexp"
	"strings"
	"unicode"
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

func orderIn(s string) string {
	for _, m := range orderWordRE.FindAllStringSubmatchIndex(s, 50) {
		marked := m[2] >= 0 || hasNumberWord(s[m[0]:m[4]])
		if ref := plausible(s[m[4]:m[5]], s[m[5]:], marked); ref != "" {
			return ref
		}
	}
	for _, re := range []*regexp.Regexp{orderPrefixRE, orderHashRE} {
		for _, m := range re.FindAllStringSubmatchIndex(s, 50) {
			if ref := plausible(s[m[2]:m[3]], s[m[3]:], true); ref != "" {
				return ref
			}
		}
	}
	return ""
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
