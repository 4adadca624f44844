package export

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// columns are the columns of each kind's CSV: the top-level keys of its
// records. Values that are lists or objects stand as JSON.
var columns = map[Kind][]string{
	Events: {"id", "source", "type", "nativeid", "revision", "time", "collectedat", "localdate", "subject", "customerid",
		"threadid", "location", "orderref", "rawsha256", "specversion", "datacontenttype", "data"},
	Verdicts: {"event_id", "model_version", "level", "red", "probability", "severity", "flagged_by", "reasons", "categories", "scored_at"},
	Alerts:   {"event_id", "case_id", "raised_at", "opened_case"},
	Cases: {"id", "number", "state", "kind", "priority", "severity", "version", "customer_id", "location", "source_type", "assignee",
		"reasons", "categories", "event_ids", "excerpt", "value_at_risk", "opened_at", "updated_at", "first_response_due",
		"next_response_due", "resolution_due", "first_responded_at", "paused_at", "missed", "sla_status", "next_attempt_at",
		"snoozed_until", "closed_at", "close_reason", "merged_into", "episode", "reopened_count", "got_there_first", "playbook",
		"key", "thread_id"},
	CaseEvents: {"case_id", "seq", "at", "actor", "kind", "from", "to", "reason", "event_id", "detail"},
	Notifications: {"id", "case_id", "episode", "kind", "cause", "recipient", "channel", "message_id", "state", "attempts", "at",
		"error", "event_id"},
	Quarantine: {"id", "source", "code", "reason", "locator", "at", "raw_sha256", "state", "replay"},
	Customers: {"id", "refs", "name", "email", "phone", "location", "opted_out", "orders", "revenue", "first_order_at",
		"last_order_at", "churn_risk"},
	Orders: {"order_ref", "customer_id", "state", "placed_at", "changed_at", "total", "previous_total", "location"},
}

// csvEncoder writes the header and answers what writes one record.
func csvEncoder(w io.Writer, kind Kind) (func(any) error, error) {
	cols := columns[kind]
	out := csv.NewWriter(w)
	if err := out.Write(cols); err != nil {
		return nil, fmt.Errorf("write CSV header: %w", err)
	}
	return func(record any) error {
		fields, err := fieldsOf(record)
		if err != nil {
			return err
		}
		cells := make([]string, len(cols))
		for i, c := range cols {
			if cells[i], err = cell(fields[c]); err != nil {
				return fmt.Errorf("column %s: %w", c, err)
			}
		}
		if err := out.Write(cells); err != nil {
			return err
		}
		out.Flush()
		return out.Error()
	}, nil
}

func fieldsOf(record any) (map[string]json.RawMessage, error) {
	b, err := json.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(b, &fields); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	return fields, nil
}

// cell writes one JSON value for a spreadsheet: text as it is but neutralised,
// null and absent as nothing, the rest as JSON.
func cell(raw json.RawMessage) (string, error) {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return "", nil
	case raw[0] != '"':
		return string(raw), nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		return "", err
	}
	return Neutralise(s), nil
}

// Neutralise puts a quote before text that a spreadsheet would run as a
// formula: what begins with = + - @ or with a tab, carriage return or line feed
// (OWASP, CSV Injection). Other text is unchanged.
func Neutralise(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n", rune(s[0])) {
		return "'" + s
	}
	return s
}
