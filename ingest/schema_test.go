package ingest

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"redalert/schemas"
)

// libraryRules compiles every schema with the complete library.
func libraryRules(t testing.TB) map[string]*jsonschema.Schema {
	t.Helper()
	m := map[string]*jsonschema.Schema{}
	for _, name := range schemas.JSONSchemaNames() {
		raw, err := fs.ReadFile(schemas.JSONSchemas, name+".schema.json")
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource(name, doc); err != nil {
			t.Fatal(err)
		}
		s, err := c.Compile(name)
		if err != nil {
			t.Fatalf("%s is not a valid 2020-12 schema: %v", name, err)
		}
		m[name] = s
	}
	return m
}

func example(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := fs.ReadFile(schemas.JSONExamples, "examples/"+name+".json")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestEveryExample(t *testing.T) {
	lib := libraryRules(t)
	for _, name := range schemas.JSONSchemaNames() {
		for _, kind := range []string{"valid", "invalid"} {
			raw := example(t, name+"."+kind)
			n, err := parseJSON(raw)
			if err != nil {
				t.Fatal(err)
			}
			v := rules[name].check(&n)
			if (v == nil) != (kind == "valid") {
				t.Errorf("%s.%s: the door says %+v", name, kind, v)
			}
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if lerr := lib[name].Validate(doc); (lerr == nil) != (kind == "valid") {
				t.Errorf("%s.%s: the library says %v", name, kind, lerr)
			}
		}
	}
	for _, typ := range schemas.EventTypes() {
		if rules[schemas.JSONSchemaOf(typ)] == nil {
			t.Errorf("%s has no schema", typ)
		}
	}
}

// mutations are values put in the place of any value of an example.
var mutations = []any{
	nil, true, "", "x", "text", "EUR", "nps", "customer", "2026-03-04", "a@b", "@", "12345", "1.0", strings.Repeat("é", 256), strings.Repeat("x", 257), strings.Repeat("y", 5000),
	json.Number("0"), json.Number("-1"), json.Number("1.0"), json.Number("1.5"), json.Number("1e3"), json.Number("-0"), json.Number("1e-400"), json.Number("9007199254740991"), json.Number("9007199254740992"), json.Number("1e300"),
	[]any{}, []any{map[string]any{"quantity": json.Number("1")}}, map[string]any{}, map[string]any{"amount": json.Number("5"), "currency": "USD"}, map[string]any{"amount": json.Number("-5"), "currency": "USD"},
}

// TestDoorAndLibraryAgree mutates the examples at random places: the door's
// own validation and a complete JSON Schema library must say the same.
func TestDoorAndLibraryAgree(t *testing.T) {
	lib := libraryRules(t)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(schemas.JSONSchemaNames()).Draw(t, "schema")
		kind := rapid.SampledFrom([]string{"valid", "valid", "valid", "invalid"}).Draw(t, "kind")
		raw, err := fs.ReadFile(schemas.JSONExamples, "examples/"+name+"."+kind+".json")
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 3).Draw(t, "mutations") {
			doc = mutate(t, doc)
		}
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		n, err := parseJSON(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		v, lerr := rules[name].check(&n), lib[name].Validate(doc)
		if (v == nil) != (lerr == nil) {
			t.Fatalf("%s %s\ndoor: %+v\nlibrary: %v", name, text, v, lerr)
		}
	})
}

func mutate(t *rapid.T, v any) any {
	switch x := v.(type) {
	case map[string]any:
		keys := make([]string, 0, len(x))
		for k := range x {
			keys = append(keys, k)
		}
		if len(keys) == 0 || rapid.IntRange(0, 9).Draw(t, "replace") == 0 {
			break
		}
		k := rapid.SampledFrom(sorted(keys)).Draw(t, "key")
		if rapid.IntRange(0, 4).Draw(t, "drop") == 0 {
			delete(x, k)
			return x
		}
		x[k] = mutate(t, x[k])
		return x
	case []any:
		if len(x) == 0 || rapid.Bool().Draw(t, "replace") {
			break
		}
		i := rapid.IntRange(0, len(x)-1).Draw(t, "index")
		x[i] = mutate(t, x[i])
		return x
	}
	return rapid.SampledFrom(mutations).Draw(t, "value")
}

func sorted(s []string) []string {
	m := make([]member, len(s))
	for i, k := range s {
		m[i].key = k
	}
	sortMembers(m)
	for i := range m {
		s[i] = m[i].key
	}
	return s
}

func TestErrorTextNamesTheFieldAndWhatToDo(t *testing.T) {
	for _, c := range []struct{ schema, data, want string }{
		{"order", `{}`, "data.order_ref is missing; expected: the business's own order number, as text"},
		{"order", `{"order_ref":"A","total":{"amount":1,"currency":"eur"}}`, "data.total.currency has the wrong form; expected: an ISO 4217 code in capitals, such as EUR"},
		{"order", `{"order_ref":"A","total":{"amount":1.5,"currency":"EUR"}}`, "data.total.amount is not a whole number"},
		{"order", `{"order_ref":"A","lines":[{"quantity":1},{"sku":"x"}]}`, "data.lines[1].quantity is missing; expected: a whole number"},
		{"feedback", `{"value_number":"7"}`, "data.value_number is of JSON type string; expected: the score as a number"},
		{"feedback", `{"field_type":"stars","value_text":"x"}`, `data.field_type is "stars"; expected: one of text, nps`},
		{"feedback", `{"location":"North"}`, "data says nothing"},
	} {
		n, err := parseJSON([]byte(c.data))
		if err != nil {
			t.Fatal(err)
		}
		v := rules[c.schema].check(&n)
		if v == nil || !strings.HasPrefix(v.text("data"), c.want) {
			t.Errorf("%s: %+v, want %s", c.data, v, c.want)
		}
	}
}

func TestNamesInOtherCaseAreFound(t *testing.T) {
	for data, want := range map[string]string{
		`{"Customer":{"email":"a@b"}}`: "Customer", `{"customer":{"Email":"a@b"}}`: "Email", `{"CUSTOMER_ID":1}`: "CUSTOMER_ID",
		`{"metadata":{"Customer":1},"Vendor":1}`: "", `{"lines":[{"Quantity":1}]}`: "Quantity",
	} {
		n, err := parseJSON([]byte(data))
		if err != nil {
			t.Fatal(err)
		}
		r := rules["feedback"]
		if strings.Contains(data, "lines") {
			r = rules["order"]
		}
		if got := r.misnamed(&n); got != want {
			t.Errorf("%s: %q, want %q", data, got, want)
		}
	}
}

// TestPanicOverOneItem: a fault of ours puts that item into quarantine and no
// other.
func TestPanicOverOneItem(t *testing.T) {
	d := NewDoor(DoorConfig{})
	healthy := rules["signal"]
	rules["signal"] = nil
	defer func() { rules["signal"] = healthy }()
	p := d.prepare(&Item{Source: "s", Type: schemas.Unanswered, NativeID: "1", Data: []byte(`{"due":"2026-03-01"}`)}, time.Now())
	if p.broken == nil || p.broken.Code != schemas.QUnreadable || !strings.Contains(p.broken.Reason, "fault of the program") {
		t.Errorf("%+v", p.broken)
	}
	if p := d.prepare(&Item{Source: "s", Type: schemas.ReplySent, NativeID: "1", Data: []byte(`{"text":"x"}`)}, time.Now()); p.broken != nil {
		t.Errorf("%+v", p.broken)
	}
}
