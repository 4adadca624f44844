package text

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestOtherLanguage(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"Ich warte seit drei Wochen auf meine Lieferung und niemand ruft mich zurück.", "German"},
		{"Je suis très déçu, le plombier n'est jamais venu et personne ne répond au téléphone.", "French"},
		{"La comida estaba fría y el camarero fue muy maleducado con nosotros toda la noche.", "Spanish"},
		{"Il tecnico non è mai arrivato e nessuno risponde al telefono da una settimana.", "Italian"},
		{"Ik wacht al drie weken op mijn bestelling en niemand belt mij terug, erg teleurstellend.", "Dutch"},
		{"Zamówienie przyszło uszkodzone i nikt nie odpowiada na moje wiadomości od tygodnia.", "Polish"},
		{"Заказ пришёл сломанным, и никто не отвечает на мои письма.", "Cyrillic letters"},
		{"注文した商品がまだ届いていません。返金してください。", "Japanese"},
		{"Where is my order? I have been waiting for three weeks.", ""},
		{"Merci! The crème brûlée was lovely and so was our waiter Étienne.", ""},
		{"ok", ""},
		{"", ""},
		{"très bien", ""}, // too short to be sure of
		{"👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍👍", ""},
		{"1234567890 1234567890 1234567890", ""},
	} {
		if got, ok := OtherLanguage(tc.text); got != tc.want || ok != (tc.want != "") {
			t.Errorf("%q: %q %v, want %q", tc.text, got, ok, tc.want)
		}
	}
}

// TestEnglishIsNotTakenForAnother: of the whole corpus, all of it English, at
// most one message in a thousand.
func TestEnglishIsNotTakenForAnother(t *testing.T) {
	all, wrong := 0, 0
	for _, name := range []string{"corpus/train.jsonl", "corpus/test.jsonl"} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		sc := bufio.NewScanner(f)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			var m struct{ Text string }
			if err := json.Unmarshal(sc.Bytes(), &m); err != nil {
				t.Fatal(err)
			}
			all++
			if lang, ok := OtherLanguage(m.Text); ok {
				wrong++
				t.Logf("%s: %s", lang, m.Text)
			}
		}
	}
	if all < 9000 || wrong*1000 > all {
		t.Errorf("%d of %d English messages are taken for another language", wrong, all)
	}
}

func FuzzOtherLanguage(f *testing.F) {
	f.Add("Ich warte seit drei Wochen.")
	f.Add(strings.Repeat("ü", 5000))
	f.Add("\xff\xfe")
	f.Fuzz(func(t *testing.T, s string) {
		name, ok := OtherLanguage(s)
		if again, ok2 := OtherLanguage(s); again != name || ok2 != ok {
			t.Errorf("%q, then %q", name, again)
		}
		if ok && (name == "" || !utf8.ValidString(name)) {
			t.Errorf("named %q", name)
		}
	})
}
