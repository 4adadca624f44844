package schemas

import "time"

// Period is the length of one point of a trend.
type Period string

// Every period; weeks start on Monday.
const (
	PeriodDay   Period = "day"
	PeriodWeek  Period = "week"
	PeriodMonth Period = "month"
)

// TrendBy splits a trend into series.
type TrendBy string

// How a trend may be split; "" is one series named "all".
const (
	ByAll      TrendBy = ""
	BySource   TrendBy = "source"
	ByCategory TrendBy = "category"
	ByLocation TrendBy = "location"
)

// TrendQuery asks for a trend over local dates [From, To), both YYYY-MM-DD in
// the business time zone. Today marks which points are still unfinished.
type TrendQuery struct {
	From, To  string
	Today     string
	Period    Period
	By        TrendBy
	Locations []string // nil = all
}

// Point is one value. For alerts: red events of n events. For churn: customers
// churned of n customers active when the period began.
type Point struct {
	Start    string  `json:"start"` // YYYY-MM-DD
	Value    float64 `json:"value"`
	N        int64   `json:"n"`
	Complete bool    `json:"complete"`
}

// Series is one line of a chart.
type Series struct {
	Name   string  `json:"name"`
	Points []Point `json:"points"`
}

// Trend is what a chart shows, with its definition in words.
type Trend struct {
	Definition string   `json:"definition"`
	Period     Period   `json:"period"`
	Series     []Series `json:"series"`
}

// CollectorStatus is how one door of input is doing.
type CollectorStatus struct {
	Name        string     `json:"name"`
	Kind        string     `json:"kind"` // imap, review, webhook, events, import
	LastSuccess *time.Time `json:"last_success"`
	LastError   string     `json:"last_error"` // "" when the last attempt went well
	LastErrorAt *time.Time `json:"last_error_at"`
	LagSeconds  *float64   `json:"lag_seconds"` // now less the age of the newest item not yet taken; nil = unknown
	Accepted    int64      `json:"accepted"`
	Quarantined int64      `json:"quarantined"`
	QuietAfter  int64      `json:"quiet_after_seconds"` // 0 = never alarms
}

// Page is a slice of a listing. Next is the cursor of the following page, ""
// at the end. Cursors are opaque and stay valid while rows are added.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"`
}

// ListQuery bounds a listing: Since inclusive, Until exclusive (collected_at
// for events); zero = unbounded. Limit ≤ 0 means the default of 100.
type ListQuery struct {
	Since, Until time.Time
	Cursor       string
	Limit        int
	Locations    []string // nil = all
}
