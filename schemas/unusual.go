package schemas

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Unusual is a notice to managers: a group had more red alerts this week, or in
// the last seven days, than the business's own earlier weeks explain. It is no
// event and opens no case. Group: Location and Category, Location alone, Category alone or Source
// alone; "" does not narrow. How it comes about: package signals/unusual.
type Unusual struct {
	From    string `json:"from"`    // first local day counted, YYYY-MM-DD
	Through string `json:"through"` // last one, that day included
	// ThisWeek: from Monday on, so far; else the last seven days.
	ThisWeek bool     `json:"this_week"`
	Source   string   `json:"source"`
	Location string   `json:"location"`
	Category Category `json:"category"`
	Count    int64    `json:"count"` // red alerts so far
	Usual    float64  `json:"usual"` // per week over the same days, in earlier weeks
	// Expected is what season and volume explain of Count; never below Usual
	// rounded up for what few weeks can tell.
	Expected    float64 `json:"expected"`
	Quiet       int64   `json:"quiet"`       // events of the group's source or location that are no alert
	UsualQuiet  float64 `json:"usual_quiet"` // the same, per week over the same days, in earlier weeks
	Weeks       int     `json:"weeks"`       // earlier weeks compared with
	Probability float64 `json:"probability"` // of at least Count by chance, 0–1
	MoreVolume  bool    `json:"more_volume"` // volume rose as well, but explains only a part
	LastYear    bool    `json:"last_year"`   // the same weeks a year before are known and were looked at

}

// Key names the group: stable, and the same for every reader.
func (u Unusual) Key() string {
	return strings.Join([]string{u.Source, u.Location, string(u.Category)}, "\x1f")
}

// Path is the page that lists the alerts behind the notice, under the site's
// address.
func (u Unusual) Path() string {
	q := url.Values{"from": {u.From}, "through": {u.Through}}
	for k, v := range map[string]string{"source": u.Source, "location": u.Location, "category": string(u.Category)} {
		if v != "" {
			q.Set(k, v)
		}
	}
	return "/trends/unusual?" + q.Encode()
}

// unusualNouns are what alerts of a category are called in the plural.
var unusualNouns = map[Category]string{
	CatLate: "late deliveries or visits", CatQuality: "complaints about quality", CatDamaged: "complaints about damage",
	CatWrongItem: "wrong or missing items", CatMissedAppointment: "missed appointments", CatNoReply: "messages nobody answered",
	CatRude: "complaints about rudeness", CatBilling: "complaints about bills", CatPrice: "complaints about the price",
	CatRefundRequest: "refund requests", CatCancellation: "cancellations", CatReduction: "smaller orders",
	CatChurnThreat: "customers who say they are leaving", CatPublicWarning: "public warnings",
	CatLegalSafety: "alerts about harm or the law", CatOther: "other red alerts",
}

// Title is the notice in one line: "Missed appointments at North: 9 this week,
// usually 2". It names no customer.
func (u Unusual) Title() string {
	when := "in the last 7 days"
	if u.ThisWeek {
		when = "this week"
	}
	return fmt.Sprintf("%s: %d %s, usually %s", u.Group(), u.Count, when, usually(u.Usual))
}

// Group names the group: "Missed appointments at North".
func (u Unusual) Group() string {
	noun := unusualNouns[u.Category]
	if noun == "" {
		noun = "red alerts"
		if u.Category != "" {
			noun += " about " + strings.ReplaceAll(string(u.Category), "_", " ")
		}
	}
	noun = strings.ToUpper(noun[:1]) + noun[1:]
	if u.Location != "" {
		noun += " at " + strings.Join(strings.Fields(u.Location), " ")
	}
	if u.Source != "" {
		noun += " from " + strings.Join(strings.Fields(u.Source), " ")
	}
	return noun
}

// Why says in a sentence what the numbers compare and what volume has to do
// with it.
func (u Unusual) Why() string {
	days := "Compared with the same days of " + strconv.Itoa(u.Weeks) + " earlier weeks"
	if !u.ThisWeek {
		days = "Compared with " + strconv.Itoa(u.Weeks) + " earlier weeks"
	}
	if u.LastYear {
		days += " and the same weeks last year"
	}
	volume := fmt.Sprintf("there were about as many other messages as usual (%d, usually %s)", u.Quiet, usually(u.UsualQuiet))
	switch {
	case float64(u.Quiet) < float64(0.8*u.UsualQuiet):
		volume = fmt.Sprintf("there were fewer other messages than usual (%d, usually %s)", u.Quiet, usually(u.UsualQuiet))
	case u.MoreVolume:
		volume = fmt.Sprintf("there were more other messages, too (%d, usually %s), but that explains only about %s", u.Quiet, usually(u.UsualQuiet), usually(u.Expected))
	}
	return days + "; " + volume + "."
}

// usually rounds a mean to a count people say: "2", "none".
func usually(x float64) string {
	if n := int64(x + 0.5); n > 0 {
		return strconv.FormatInt(n, 10)
	}
	return "none"
}
