// Package customer maps the rows of customer lists onto sightings: who a
// customer is and by which number, address and phone they are known. It raises
// no event.
package customer

import (
	"fmt"
	"time"

	"redalert/ingest"
	"redalert/ingest/file"
	"redalert/schemas"
)

// Mapper turns rows of one table into sightings. Not for concurrent use.
type Mapper struct {
	read *file.FeedbackReader
	now  time.Time
}

// New makes a mapper for one table; now is the time of rows that state none.
func New(m file.Mapping, t *file.Table, clock *file.Clock, now time.Time) (*Mapper, error) {
	r := file.NewFeedbackReader(m, t, clock)
	if !r.Has("customer.ref") && !r.Has("customer.email") && !r.Has("customer.phone") {
		return nil, fmt.Errorf("%w: a customer needs a number, an e-mail address or a phone; map columns to customer.ref, customer.email or customer.phone (--map)", file.ErrForm)
	}
	return &Mapper{read: r, now: now}, nil
}

// Sighting maps one row. A row that identifies nobody is broken: a name alone
// does not.
func (c *Mapper) Sighting(row file.Row) (schemas.Sighting, *ingest.Broken) {
	f, at, broken := c.read.Read(row)
	if broken != nil {
		return schemas.Sighting{}, broken
	}
	if f.Customer == nil || !f.Customer.Known() {
		return schemas.Sighting{}, &ingest.Broken{Code: schemas.QInvalid,
			Reason: fmt.Sprintf("line %d: it has neither number, e-mail address nor phone; a name alone identifies nobody", row.Line)}
	}
	if at.IsZero() {
		at = c.now
	}
	return schemas.Sighting{Customer: *f.Customer, Location: f.Location, At: at}, nil
}
