package schemas

import "time"

// Settings is what owners keep on the Settings page; it lives in the database,
// never in the YAML file.
type Settings struct {
	Locations []Location `json:"locations"`
	Hours     Hours      `json:"hours"`    // of the business; a location may have its own
	Holidays  []string   `json:"holidays"` // YYYY-MM-DD
	Digest    Digest     `json:"digest"`
	Response  Response   `json:"response"`
}

// Location is one place of the business; Name is the text events carry.
type Location struct {
	Name     string `json:"name"`
	Timezone string `json:"timezone"` // IANA; "" = the business's
	Hours    Hours  `json:"hours"`    // empty = the business's
}

// Block is one stretch of opening time, "HH:MM" local, From < To; To may be "24:00".
type Block struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Hours holds the blocks of each weekday, indexed by time.Weekday (Sunday 0).
type Hours [7][]Block

// Empty reports whether there is no block on any day.
func (h Hours) Empty() bool {
	for _, d := range h {
		if len(d) > 0 {
			return false
		}
	}
	return true
}

// Digest says when managers get their daily digest.
type Digest struct {
	Enabled  bool           `json:"enabled"`
	At       string         `json:"at"`       // "HH:MM" in the recipient's time zone
	Weekdays []time.Weekday `json:"weekdays"` // empty = every day
}

// Response holds the deadlines by priority, in business time.
type Response struct {
	FirstResponse map[Priority]Minutes `json:"first_response"`
	NextResponse  map[Priority]Minutes `json:"next_response"`
	Resolution    map[Priority]Minutes `json:"resolution"`
}

// Minutes is a span of business time.
type Minutes int

// DefaultSettings: Monday to Friday 8:00–18:00, digest at 7:30 every day,
// first response in 1, 4, 8 and 16 business hours by falling priority.
func DefaultSettings() Settings {
	day := []Block{{From: "08:00", To: "18:00"}}
	return Settings{
		Hours:  Hours{nil, day, day, day, day, day, nil},
		Digest: Digest{Enabled: true, At: "07:30"},
		Response: Response{
			FirstResponse: map[Priority]Minutes{PriorityUrgent: 60, PriorityHigh: 240, PriorityMedium: 480, PriorityLow: 960},
			NextResponse:  map[Priority]Minutes{PriorityUrgent: 240, PriorityHigh: 480, PriorityMedium: 960, PriorityLow: 1920},
			Resolution:    map[Priority]Minutes{PriorityUrgent: 1200, PriorityHigh: 1800, PriorityMedium: 3000, PriorityLow: 6000},
		},
	}
}

// Business is what the configuration says of the one business this instance
// serves.
type Business struct {
	Name     string
	Timezone *time.Location
	Currency string // ISO 4217
	// Rates: one unit of the key currency is worth this much of Currency, as a
	// decimal ("0.92"). Money in a currency without a rate is quarantined.
	Rates map[string]string
}

// LocalDate is the business's calendar day of an instant, YYYY-MM-DD.
func (b Business) LocalDate(t time.Time) string {
	if b.Timezone != nil {
		t = t.In(b.Timezone)
	} else {
		t = t.UTC()
	}
	return t.Format(time.DateOnly)
}
