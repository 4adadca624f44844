package email

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"redalert/internal/lane"
	"redalert/internal/linear"
)

func TestTrim(t *testing.T) {
	const q = "\n> Wann kommen Sie?\n> Gruß\n"
	for _, tc := range []struct{ name, in, want string }{
		{"English", "Too late.\n\nOn Mon, 2 Mar 2026 at 10:00, Care <care@example.com> wrote:" + q, "Too late."},
		{"folded", "Too late.\n\nOn Mon, 2 Mar 2026 at 10:00, Care at the Firm\n<care@example.com>\nwrote:" + q, "Too late."},
		{"German", "Zu spät.\n\nAm Mo., 2. März 2026 um 10:00 Uhr schrieb Care <care@example.com>:" + q, "Zu spät."},
		{"German Thunderbird", "Zu spät.\n\nAm 02.03.26 um 10:00 schrieb Care:" + q, "Zu spät."},
		{"French", "Trop tard.\n\nLe lun. 2 mars 2026 à 10:00, Care <care@example.com> a écrit :" + q, "Trop tard."},
		{"Spanish", "Muy tarde.\n\nEl lun, 2 mar 2026 a las 10:00, Care (<care@example.com>) escribió:" + q, "Muy tarde."},
		{"Italian", "Tardi.\n\nIl giorno lun 2 mar 2026 alle ore 10:00 Care <care@example.com> ha scritto:" + q, "Tardi."},
		{"Dutch", "Te laat.\n\nOp ma 2 mrt. 2026 om 10:00 schreef Care <care@example.com>:" + q, "Te laat."},
		{"Portuguese", "Tarde.\n\nEm seg., 2 de mar. de 2026 às 10:00, Care <care@example.com> escreveu:" + q, "Tarde."},
		{"Polish", "Za późno.\n\npon., 2 mar 2026 o 10:00 Care <care@example.com> napisał(a):" + q, "Za późno."},
		{"Swedish", "För sent.\n\nDen mån 2 mars 2026 kl 10:00 skrev Care <care@example.com>:" + q, "För sent."},
		{"Russian", "Поздно.\n\nпн, 2 мар. 2026 г. в 10:00, Care <care@example.com>:" + q, "Поздно."},
		{"Czech", "Pozdě.\n\npo 2. 3. 2026 v 10:00 odesílatel Care <care@example.com> napsal:" + q, "Pozdě."},
		{"unquoted below", "Too late.\n\nOn Mon, 2 Mar 2026 at 10:00, Care <care@example.com> wrote:\n\nWhen shall we come?\n", "Too late."},
		{"answered below", "On Mon, 2 Mar 2026 at 10:00, Care <care@example.com> wrote:\n> When shall we come?\n\nNever again.\n", "Never again."},
		{"answered between", "Hello,\n\nOn Mon, 2 Mar 2026, Care <care@example.com> wrote:\n> Was he on time?\n\nNo.\n\n> Was he polite?\n\nNot at all.\n", "Hello,\n\n\nNo.\n\n\nNot at all."},
		{"Outlook", "Too late.\n\n-----Original Message-----\nFrom: Care\nSent: Monday\nTo: Jane\nSubject: Visit\n\nWhen?", "Too late."},
		{"Outlook, German", "Zu spät.\n\n-----Ursprüngliche Nachricht-----\nVon: Care\n\nWann?", "Zu spät."},
		{"Outlook, headers only", "Too late.\n\n________________________________\nFrom: Care <care@example.com>\nSent: Monday, March 2, 2026 10:00 AM\nTo: Jane\nSubject: Visit\n\nWhen?", "Too late."},
		{"headers, German", "Zu spät.\n\nVon: Care <care@example.com>\nGesendet: Montag, 2. März 2026 10:00\nAn: Jane\nBetreff: Termin\n\nWann?", "Zu spät."},
		{"headers, French", "Trop tard.\n\nDe : Care <care@example.com>\nEnvoyé : lundi 2 mars 2026 10:00\nÀ : Jane\nObjet : Visite\n\nQuand ?", "Trop tard."},
		{"headers, Dutch", "Te laat.\n\nVan: Care <care@example.com>\nVerzonden: maandag 2 maart 2026 10:00\nAan: Jane\nOnderwerp: Bezoek\n\nWanneer?", "Te laat."},
		{"forward", "See below, unbelievable.\n\n---------- Forwarded message ---------\nFrom: Care\n\nWe come at 10.", "See below, unbelievable."},
		{"Apple forward", "See below.\n\nBegin forwarded message:\n\nFrom: Care\nSubject: Visit\n\nWe come at 10.", "See below."},
		{"help desk", "It leaks again.\n\n##- Please type your reply above this line -##\nYour request is solved.", "It leaks again."},
		{"signature", "It leaks.\n-- \nJane Doe\nACME Ltd\n+49 151 234567", "It leaks."},
		{"phone", "It leaks.\n\nSent from my iPhone", "It leaks."},
		{"phone, German", "Es tropft.\n\nVon meinem iPhone gesendet", "Es tropft."},
		{"phone, French", "Ça fuit.\n\nEnvoyé de mon iPhone", "Ça fuit."},
		{"phone, then more", "It leaks.\n\nSent from my iPhone\n\nPS: and I want my money back.", "It leaks.\n\n\nPS: and I want my money back."},
		{"app", "It leaks.\n\nGet Outlook for iOS<https://aka.ms/o0ukef>", "It leaks."},
		{"disclaimer", "It leaks.\n\nThis email and any attachments are confidential.\nDelete it.", "It leaks."},
		{"list", "It leaks.\n_______________________________________________\ntalk mailing list\ntalk@lists.example", "It leaks."},
		{"closing stays", "It leaks.\n\nBest regards,\nJane", "It leaks.\n\nBest regards,\nJane"},
		{"CRLF", "It leaks.\r\n\r\n> old\r\n", "It leaks."},
		{"all quoted stays", "> It leaks.", "> It leaks."},
		{"empty", "", ""},

		// A customer's own words that look like something else.
		{"quotes a technician", "On 3 May at 10:00 your colleague wrote:\n\"We will come\" and nobody came.", "On 3 May at 10:00 your colleague wrote:\n\"We will come\" and nobody came."},
		{"begins with On", "On Monday nobody came.\nOn Tuesday nobody called:\nI am furious.", "On Monday nobody came.\nOn Tuesday nobody called:\nI am furious."},
		{"a move", "Please quote:\n\nFrom: Berlin\nTo: Hamburg\nDate: 3 May 2026\n\nTwo rooms.", "Please quote:\n\nFrom: Berlin\nTo: Hamburg\nDate: 3 May 2026\n\nTwo rooms."},
		{"a form", "From: Jane <jane@c.example>\nSubject: Complaint\n\nMessage: nobody came.", "From: Jane <jane@c.example>\nSubject: Complaint\n\nMessage: nobody came."},
		{"more than", "I have waited\n> 3 weeks\nfor an answer.", "I have waited\n> 3 weeks\nfor an answer."},
		{"sent from my desk", "Sent from my desk, which stands in the water since your visit.", "Sent from my desk, which stands in the water since your visit."},
		{"dashes between parts", "First the tap.\n--\n" + strings.Repeat("Then the long story of the drain goes on.\n", 40) + "Jane", "First the tap.\n--\n" + strings.Repeat("Then the long story of the drain goes on.\n", 40) + "Jane"},
		{"bullets", "What is wrong:\n- the tap\n- the drain\n\nPlease come.", "What is wrong:\n- the tap\n- the drain\n\nPlease come."},
	} {
		got, removed := Trim(tc.in)
		if squash(got) != squash(tc.want) {
			t.Errorf("%s:\n got %q\nwant %q", tc.name, got, tc.want)
		}
		if got != "" && squash(got) == squash(tc.in) && removed != "" {
			t.Errorf("%s: nothing was cut, and %q was removed", tc.name, removed)
		}
	}
}

func TestHTMLText(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"Gmail", `<div dir="ltr">Too late.</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">On Mon, Mar 2, 2026 at 10:00 AM Care &lt;<a href="mailto:care@example.com">care@example.com</a>&gt; wrote:<br></div><blockquote class="gmail_quote" style="margin:0"><div>When?</div></blockquote></div>`, "Too late."},
		{"Gmail, answered between", `<div class="gmail_quote"><div class="gmail_attr">On Mon, Mar 2, 2026 at 10:00 AM Care &lt;care@example.com&gt; wrote:<br></div><blockquote class="gmail_quote">Was he on time?</blockquote><div>No.</div><blockquote class="gmail_quote">Was he polite?</blockquote><div>Not at all.</div></div>`, "No. Not at all."},
		{"Gmail forward", `<div>See below.</div><div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------<br>From: Care</div>We come at 10.</div>`, "See below."},
		{"Apple", `Too late.<br><blockquote type="cite"><div>On 2 Mar 2026, at 10:00, Care wrote:</div><div>When?</div></blockquote>`, "Too late."},
		{"Thunderbird", `<p>Too late.</p><div class="moz-cite-prefix">On 02.03.26 10:00, Care wrote:<br></div><blockquote type="cite" cite="mid:x"><p>When?</p></blockquote>`, "Too late."},
		{"Outlook web", `<div>Too late.</div><div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>From:</b> Care<br><b>Sent:</b> Monday<br></div><div>When?</div>`, "Too late."},
		{"Outlook", `<p class=MsoNormal>Too late.</p><div style='border:none;border-top:solid #E1E1E1 1.0pt'><p class=MsoNormal><b>From:</b> Care &lt;care@example.com&gt;<br><b>Sent:</b> Monday, March 2, 2026 10:00 AM<br><b>To:</b> Jane<br><b>Subject:</b> Visit</p></div><p>When?</p>`, "Too late."},
		{"Outlook for Mac", `<div>Too late.</div><span id="OLK_SRC_BODY_SECTION"><div>From: Care</div><div>When?</div></span>`, "Too late."},
		{"Yahoo", `<div>Too late.</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div>On Monday, Care wrote:</div>When?</div>`, "Too late."},
		{"GMX", `<div>Zu spät.</div><div name="quote"><div><b>Gesendet:</b> Montag</div>Wann?</div>`, "Zu spät."},
		{"an indented paragraph stays", `<p>Too late.</p><blockquote style="margin-left:40px">He came at noon.</blockquote>`, "Too late. He came at noon."},
		{"table and entities", `<table><tr><td>Order</td><td>12345</td></tr><tr><td>Caf&eacute;&nbsp;&amp; bar</td></tr></table>`, "Order 12345 Café & bar"},
		{"words are not torn", `Nobo<b>dy</b> came<i> at </i>all.`, "Nobody came at all."},
		{"head without an end", `<head><style>p{}</style><body>Nobody came.`, "Nobody came."},
	} {
		got, _ := Trim(HTMLText(tc.in))
		if squash(got) != tc.want {
			t.Errorf("%s:\n got %q\nwant %q", tc.name, squash(got), tc.want)
		}
	}
}

func TestTrimIsLinear(t *testing.T) {
	for name, unit := range map[string]string{
		"quotes": "> x\n", "introductions": "x\nOn Mon, 2 Mar 2026 at 10:00, a <a@b> wrote:\n> y\n", "colons": "a:\n", "open": "On 1 <\n",
		"headers": "From: a\n", "dashes": "--\n", "rules": "____________________\n", "blank": "\n", "one line": "x", "angle": ">", "taglines": "sent from my iphone\n",
	} {
		t.Run(name, func(t *testing.T) {
			in := func(n int) string { return strings.Repeat(unit, n/len(unit)) }
			linear.Check(t, 1<<17, func(n int) { Trim(in(n)) })
			linear.Check(t, 1<<17, func(n int) { Trim("words first\n" + in(n) + "\nwords last") })
			linear.Check(t, 1<<17, func(n int) { OrderRef("", in(n)) })
		})
	}
}

// Samples of three reply parsers: what must be kept and what must not, written
// here after reading them.
func TestTrimSamples(t *testing.T) {
	for file, tc := range map[string]struct{ want, not string }{
		"github/email_1_2.txt":                             {"You can list the keys", "What is the best way"},
		"github/email_1_5.txt":                             {"- And another one", ""},
		"github/email_1_6.txt":                             {"I get proper rendering as well.", "Was this caching"},
		"github/email_1_8.txt":                             {"and under this.", "okay"},
		"github/email_2_1.txt":                             {"Outlook with a reply", "Google Apps"},
		"github/email_2_2.txt":                             {"directly above line", "CRM"},
		"github/email_BlackBerry.txt":                      {"Here is another email", "Sent from"},
		"github/email_bullets.txt":                         {"and another", "Joe Smith"},
		"github/email_sent_from_my_not_signature.txt":      {"Sent from my desk", ""},
		"github/email_sig_delimiter_in_middle_of_line.txt": {"kthxbai", ""},
		"github/greedy_on.txt":                             {"On your remote host you can run", "George Plymale"},
		"github/pathological.txt":                          {"I will try to fix the problem", "John Sullivan"},
		"zapier/email_gmail.txt":                           {"test for inbox replying", "outdated"},
		"zapier/email_headers_no_delimiter.txt":            {"And another reply!", "A reply\n"},
		"zapier/email_partial_quote_header.txt":            {"On your remote host you can run", "George Plymale"},
		"willdurand/email_7.txt":                           {"nec nibh.", "Ciao Lorem"},
		"willdurand/email_8.txt":                           {"nec nibh.", "Beste Praesent"},
		"willdurand/email_9.txt":                           {"nec nibh.", "Message du"},
		"willdurand/email_10.txt":                          {"nec nibh.", "Etiam"},
		"willdurand/email_12.txt":                          {"nec nibh.", "Etiam"},
		"willdurand/email_13.txt":                          {"nec nibh.", "Etiam"},
		"willdurand/email_14.txt":                          {"nec nibh.", "Etiam"},
		"willdurand/email_16.txt":                          {"nec nibh.", "Etiam"},
		"willdurand/email_18.txt":                          {"nec nibh.", "Etiam"},
		"willdurand/email_22.txt":                          {"nec nibh.", "Etiam"},
		"willdurand/email_23.txt":                          {"nec nibh.", "Ticket answered"},
		"willdurand/email_21.txt":                          {"On Thursday:", ""},
		"willdurand/email_thread.txt":                      {"This is new email reply", "Thanks"},
		"willdurand/email_norwegian_gmail.txt":             {"nec nibh.", "Thanks"},
		"willdurand/email_custom_quote_header.txt":         {"Thank you!", "imdb"},
		"willdurand/email_customer_quote_header_3.txt":     {"merci d'avance", "Someone Somewhere"},
		"willdurand/email_w10_mail.txt":                    {"going for a test now", "Bort replied"},
		"willdurand/email_with_from_headers.txt":           {"My email is", ""},
		"willdurand/email_issue_77.txt":                    {"Text paragraph 2", "a écrit"},
	} {
		raw, err := os.ReadFile(filepath.Join(lane.Data(t, "mail/"), file))
		if err != nil {
			t.Error(err)
			continue
		}
		got, _ := Trim(string(raw))
		if !strings.Contains(got, tc.want) || (tc.not != "" && strings.Contains(got+"\n", tc.not)) {
			t.Errorf("%s: %q lacks %q or has %q", file, got, tc.want, tc.not)
		}
	}
	for _, kind := range []string{"talon/standard_replies/*.eml", "talon/html_replies/*.html"} {
		files, _ := filepath.Glob(filepath.Join(lane.Data(t, "mail/"), kind))
		if len(files) < 9 {
			t.Errorf("%s: %d samples", kind, len(files))
		}
		for _, f := range files {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			text, want := HTMLText(string(raw)), "Hi. I am fine. Thanks, Alex"
			if strings.HasSuffix(f, ".eml") {
				m, err := Parse(raw)
				if err != nil {
					t.Fatal(err)
				}
				text, want = m.Text, "Hello"
			}
			if got, _ := Trim(text); squash(got) != want {
				t.Errorf("%s: %q, want %q", filepath.Base(f), squash(got), want)
			}
		}
	}
}

func FuzzTrim(f *testing.F) {
	f.Add("Too late.\n\nOn Mon, 2 Mar 2026 at 10:00, Care <care@example.com> wrote:\n> When?\n")
	f.Add("x\n-- \nJane\n> y")
	f.Add("From: a@b\nSent: x\nSubject: y")
	f.Fuzz(func(t *testing.T, in string) {
		got, removed := Trim(in)
		if strings.TrimSpace(tidy(in)) != "" && strings.TrimSpace(got) == "" {
			t.Fatalf("nothing is left of %q", in)
		}
		if len(got)+len(removed) > len(in)+16+2*strings.Count(in, "\n") && strings.ToValidUTF8(in, "") == in {
			t.Fatalf("more came out than went in: %q, %q", got, removed)
		}
		if again, _ := Trim(in); again != got {
			t.Fatal("two readings differ")
		}
	})
}

func FuzzHTMLText(f *testing.F) {
	f.Add(`<div class="gmail_quote">x<blockquote type=cite>y</blockquote></div><script>z</script>`)
	f.Fuzz(func(t *testing.T, in string) {
		if out := HTMLText(in); strings.ContainsAny(out, "\x00\r\x1b") {
			t.Fatalf("control characters in %q", out)
		}
	})
}
