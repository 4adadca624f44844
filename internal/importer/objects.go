package importer

import (
	"encoding/json"
	"fmt"
	"strings"

	"redalert/ingest"
	"redalert/ingest/file"
	"redalert/schemas"
)

// objects reads JSON lines that are the data of events as the contract has it,
// with the optional keys type, id and revision beside; or whole CloudEvents, as
// export writes them.
func (rd *reader) objects() error {
	hash := file.NewHasher(nil)
	var ordinals file.Ordinals
	return rd.rows(func(row file.Row, done bool) (step, error) {
		h := hash.Hash(row)
		n, err := ordinals.Next(h)
		if err != nil || done {
			return step{}, err
		}
		raw := rd.raw(row)
		it := object(rd.run.opt.Kind, row, raw, file.RowID(h, n))
		return step{items: []ingest.Item{rd.finish(it, row.Line, raw)}}, nil
	})
}

var (
	typePrefix  = map[Kind]string{Orders: "order.", Reviews: "feedback.review.", Surveys: "feedback.survey."}
	defaultType = map[Kind]schemas.EventType{Orders: schemas.OrderPlaced, Reviews: schemas.ReviewPosted, Surveys: schemas.SurveyAnswered}
)

// object maps one JSON row; rowID is its id if it has none.
func object(kind Kind, row file.Row, raw []byte, rowID string) ingest.Item {
	broken := func(code, format string, args ...any) ingest.Item {
		return ingest.Item{Broken: &ingest.Broken{Code: code, Reason: fmt.Sprintf("line %d: ", row.Line) + fmt.Sprintf(format, args...)}}
	}
	if row.Broken != nil {
		return ingest.Item{Broken: row.Broken}
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return broken(schemas.QUnreadable, "not a JSON object: %v", err)
	}
	it := ingest.Item{Type: schemas.EventType(text(keys["type"])), Revision: text(keys["revision"])}
	if text(keys["specversion"]) != "" {
		it.NativeID, it.Data = first(text(keys["nativeid"]), text(keys["id"])), keys["data"]
		at, err := schemas.ParseTime(text(keys["time"]))
		if err != nil {
			return broken(schemas.QTime, "%v", err)
		}
		it.OccurredAt = at
	} else {
		it.NativeID = first(text(keys["id"]), idOf(kind, keys), rowID)
		it.Data = without(keys, "type", "id", "revision")
	}
	if it.Type == "" {
		it.Type = defaultType[kind]
	} else if !strings.HasPrefix(string(it.Type), typePrefix[kind]) {
		return broken(schemas.QUnknownType, "type %q does not belong to an import of %s; its types begin with %q", it.Type, kind, typePrefix[kind])
	}
	return it
}

// idOf is the id that the data itself carries.
func idOf(kind Kind, keys map[string]json.RawMessage) string {
	switch kind {
	case Orders:
		return text(keys["order_ref"])
	case Surveys:
		if id := text(keys["submission_id"]); id != "" {
			if f := text(keys["field_id"]); f != "" {
				return id + "/" + f
			}
			return id
		}
	}
	return ""
}

func without(keys map[string]json.RawMessage, names ...string) json.RawMessage {
	for _, n := range names {
		delete(keys, n)
	}
	b, err := json.Marshal(keys)
	if err != nil {
		return nil // of decoded JSON: cannot happen
	}
	return b
}

func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
