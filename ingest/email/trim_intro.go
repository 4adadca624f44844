package email

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How mail programs say that somebody wrote something, in the languages of
// their users, lower case.
var verbs = []string{
	"wrote", "writes", "schrieb", "écrit", "ecrit", "escribió", "escribio", "scritto", "schreef", "geschreven",
	"escreveu", "skrev", "napisał", "napisal", "написал", "пишет", "пише", "написав", "写道", "寫道", "写到",
	"kirjoitti", "yazdı", "şunları yazdı", "írta", "napsal", "a scris", "đã viết", "έγραψε", "va escriure", "כתב", "كتب",
	"のメッセージ", "書きました", "작성",
}

// The first words of "On … wrote:", lower case.
var onWords = set("on", "am", "le", "el", "il", "op", "em", "den", "på", "pa", "dne", "w", "dnia", "pe", "no", "vào", "în",
	"ti", "ma", "в", "a", "στις", "gửi", "tarihinde")

const (
	introWindow = 6   // lines an introduction may be folded over
	maxIntro    = 600 // bytes of it
)

// introEnding looks for an introduction that ends on line i, and answers the
// line it begins on.
func (t *trimmer) introEnding(i int) (from int, ok bool) {
	if t.marks[i] == quoted && (i == 0 || t.marks[i-1] == quoted) {
		return 0, false // within a quote
	}
	l := strings.TrimRight(t.low(i), " -*_")
	if l == "" || !endsIntro(l) || (t.marks[i] == quoted && !closesAddress(l)) {
		return 0, false
	}
	quotedNext := t.quoteFollows(i)
	joined, blanks := "", 0
	fallback := -1
	for j := i; j >= 0 && j > i-introWindow; j-- {
		low := t.low(j)
		if t.lines[j] == "" {
			if blanks++; blanks > 1 {
				break
			}
			continue
		}
		if low == "" || t.marks[j] == intro || (j < i && (t.marks[j] == quoted || endsSentence(low))) {
			break
		}
		if joined = low + " " + joined; len(joined) > maxIntro {
			break
		}
		switch introKind(joined, quotedNext) {
		case introDated:
			return j, true
		case introNamed:
			if blanks == 0 {
				fallback = j
			}
		}
	}
	return fallback, fallback >= 0
}

// endsIntro reports whether a line may be the last of an introduction.
func endsIntro(l string) bool {
	if strings.HasSuffix(l, ":") || strings.HasSuffix(l, "：") || strings.HasSuffix(l, ">") {
		return true
	}
	if !verbEnds[l[len(l)-1]] {
		return false
	}
	return slices.ContainsFunc(verbs, func(v string) bool { return strings.HasSuffix(l, v) })
}

// verbEnds holds the last bytes of the verbs, which spares most lines the list.
var verbEnds = func() (set [256]bool) {
	for _, v := range verbs {
		set[v[len(v)-1]] = true
	}
	return set
}()

// closesAddress knows the last line of an address folded before its ">": it
// looks like a quoted line and is none.
func closesAddress(l string) bool {
	rest, ok := strings.CutPrefix(l, ">")
	rest = strings.Trim(rest, " :：")
	return ok && (rest == "" || slices.Contains(verbs, rest))
}

func endsSentence(l string) bool {
	if strings.HasSuffix(l, "!") || strings.HasSuffix(l, "?") {
		return true
	}
	if !strings.HasSuffix(l, ".") || len(l) < 2 {
		return false
	}
	// "28." and "p.m." go on; a sentence ends in a word of some length.
	word := l[strings.LastIndexByte(l, ' ')+1:]
	return len(word) > 5 && !strings.ContainsAny(word, "0123456789@<")
}

type introClass uint8

const (
	introNone  introClass = iota
	introNamed            // by a name or address only
	introDated            // from its first word on
)

var (
	yearRE    = regexp.MustCompile(`\b(19|20)\d\d\b|\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b|\d{4}\s?年`)
	clockRE   = regexp.MustCompile(`\b\d{1,2}[:.h]\d{2}\b`)
	isoDateRE = regexp.MustCompile(`^\d{4}[-/]\d{1,2}[-/]\d{1,2}\b`)
	shortRE   = regexp.MustCompile(`^\pL{1,9}[.,]+ ?\d`)
)

// introKind judges the lines joined so far. quotedNext says that quoted lines
// follow, which is proof enough for what is doubtful by itself: a customer may
// well write "on 3 May your technician wrote:".
func introKind(joined string, quotedNext bool) introClass {
	s := strings.TrimRight(strings.TrimLeft(joined, " -*_>"), " -*_")
	address := strings.Contains(s, "@")
	verb := slices.ContainsFunc(verbs, func(v string) bool { return strings.Contains(s, v) })
	if !verb {
		if address && strings.Contains(s, "<") && isoDateRE.MatchString(s) && (quotedNext || strings.HasSuffix(s, ":")) {
			return introDated
		}
		if strings.HasSuffix(s, ">:") && address && startsDated(s) && yearRE.MatchString(s) && clockRE.MatchString(s) {
			return introDated
		}
		return introNone
	}
	dated := yearRE.MatchString(s) && clockRE.MatchString(s)
	digit := strings.ContainsFunc(s, unicode.IsDigit)
	switch {
	case startsDated(s) && (quotedNext || (digit && address) || dated):
		return introDated
	case address && (digit || quotedNext):
		return introNamed
	case quotedNext && len(s) <= 120:
		return introNamed
	}
	return introNone
}

// startsDated reports whether s begins as "On …" or with a date or weekday.
func startsDated(s string) bool {
	word, _, _ := strings.Cut(s, " ")
	if onWords[strings.TrimRight(word, ",")] || shortRE.MatchString(s) {
		return true
	}
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsDigit(r) || r == '在' || r == '于' || r == '於'
}

// Words that stand between dashes above an earlier mail, lower case.
var separators = []string{
	"original message", "original-nachricht", "originalnachricht", "ursprüngliche nachricht", "ursprüngliche mail", "message d'origine", "message original",
	"mail original", "mensaje original", "messaggio originale", "oorspronkelijk bericht", "mensagem original", "oprindelig meddelelse",
	"ursprungligt meddelande", "opprinnelig melding", "original melding", "original email", "original e-mail", "wiadomość oryginalna", "oryginalna wiadomość",
	"исходное сообщение", "original appointment", "原始邮件", "原始郵件", "původní zpráva", "forwarded message", "weitergeleitete nachricht",
	"message transféré", "message transmis", "mensaje reenviado", "messaggio inoltrato", "doorgestuurd bericht", "mensagem encaminhada",
	"przekazana wiadomość", "videresendt", "vidarebefordrat", "пересылаемое сообщение", "reply message", "forwarded by", "転送メッセージ",
}

// Lines that introduce a forwarded mail without dashes.
var forwards = []string{
	"begin forwarded message", "anfang der weitergeleiteten", "début du message", "inizio messaggio inoltrato",
	"inicio del mensaje reenviado", "begin doorgestuurd bericht",
}

// separator reports whether a line says that an earlier mail follows.
func separator(low string) bool {
	for _, f := range forwards {
		if strings.HasPrefix(low, f) && strings.HasSuffix(low, ":") {
			return true
		}
	}
	if len(low) > 120 || !strings.HasPrefix(low, "--") || !strings.HasSuffix(low, "-") {
		return false
	}
	return slices.ContainsFunc(separators, func(s string) bool { return strings.Contains(low, s) })
}

// replyAbove knows the lines by which help desks ask to write above them.
func replyAbove(low string) bool {
	return len(low) <= 160 && (strings.Contains(low, "reply above this line") || strings.Contains(low, "type your reply above") ||
		strings.Contains(low, "oberhalb dieser zeile") || strings.Contains(low, "au-dessus de cette ligne"))
}

// Names of header fields as mail programs print them above a quoted mail.
var headerNames = func() map[string]byte {
	m := map[string]byte{}
	for class, names := range map[byte]string{
		'f': "from von de da van från fra od от від 发件人 寄件者 寄件人 差出人 lähettäjä kimden feladó nadawca expéditeur mittente remitente afzender absender",
		't': "to an à a para aan till til do кому 收件人 宛先 vastaanottaja kime címzett adresat destinataire destinatario empfänger",
		'd': "date sent datum gesendet envoyé envoyé_le enviado enviado_el enviada inviato data verzonden skickat sendt wysłano отправлено дата надіслано 发送时间 日期 寄件日期 送信日時 lähetetty tarih gönderildi elküldve fecha received dato odesláno message_du",
		's': "subject betreff objet asunto oggetto onderwerp assunto ämne emne temat тема 主题 主旨 件名 aihe konu tárgy předmět",
		'c': "cc kopie copie copia kopia копия 抄送 bcc reply-to antwort_an copie_à copia_a",
	} {
		for _, n := range strings.Fields(names) {
			if _, taken := m[n]; !taken || class == 'f' {
				m[strings.ReplaceAll(n, "_", " ")] = class
			}
		}
	}
	return m
}()

func headerClass(low string) byte {
	i := strings.IndexAny(low, ":：")
	if i < 1 || i > 40 {
		return 0
	}
	return headerNames[strings.Trim(low[:i], " *_")]
}

// headerBlock reports whether the printed header of an earlier mail begins on
// line i: three kinds of fields within a few lines, among them a subject or an
// address. "From: Berlin, To: Hamburg, Date: …" is a customer's own.
func (t *trimmer) headerBlock(i int) bool {
	if headerClass(t.low(i)) == 0 {
		return false
	}
	var seen [256]bool
	kinds, sure := 0, false
	for j := i; j < len(t.lines) && j < i+12; j++ {
		class := headerClass(t.low(j))
		if class == 0 {
			if j > i+6 || (t.lines[j] != "" && len(t.lines[j]) > 200) {
				break
			}
			continue
		}
		if !seen[class] {
			seen[class] = true
			kinds++
		}
		sure = sure || class == 's' || strings.Contains(t.low(j), "@") || (class == 'd' && clockRE.MatchString(t.low(j)) && !strings.HasPrefix(t.low(j), "dat"))
	}
	return kinds >= 3 && sure && seen['f']
}
