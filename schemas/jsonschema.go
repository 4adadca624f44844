package schemas

import "embed"

// JSONSchemas holds the JSON Schemas (draft 2020-12) of what crosses the door:
// NAME.schema.json for the data of every event type and for the CloudEvents
// envelope. They are the authority on what is accepted; examples/ has a valid
// and an invalid example of each.
//
//go:embed *.schema.json
var JSONSchemas embed.FS

// JSONExamples holds examples/NAME.valid.json and examples/NAME.invalid.json.
//
//go:embed examples/*.json
var JSONExamples embed.FS

// JSONSchemaNames lists every schema: the records, then the envelope.
func JSONSchemaNames() []string {
	return []string{"feedback", "order", "mistake", "reply", "signal", "envelope"}
}

// JSONSchemaOf names the schema that the data of an event type must fit; ""
// for an unknown type.
func JSONSchemaOf(t EventType) string {
	switch {
	case !t.Known():
		return ""
	case t.IsFeedback():
		return "feedback"
	case t.IsOrder():
		return "order"
	case t == MistakeReported:
		return "mistake"
	case t == ReplySent:
		return "reply"
	}
	return "signal"
}
