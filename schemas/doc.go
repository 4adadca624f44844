// Package schemas is the shared language of Redalert: the vocabulary every
// stage speaks (Event, Verdict, Alert, Case, Notification, Money and their
// closed lists), the JSON Schemas of what crosses a boundary, and the SQL
// migrations, embedded.
//
// It imports nothing but the standard library, does no I/O and reads no clock.
// It holds no behaviour beyond encoding, parsing and small facts about its own
// values: rules of scoring live in signals, rules of cases in alerting.
//
// All times are instants; they are encoded in UTC as RFC 3339 with at most
// millisecond precision (see Time). Days that belong to a business are stored
// beside them as LocalDate, computed once in Go in the business time zone.
package schemas
