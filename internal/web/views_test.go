package web

import (
	"cmp"
	"reflect"
	"strings"
	"testing"
	"time"

	"redalert/schemas"
)

// pageTypes names the struct each page is rendered with.
var pageTypes = map[string]any{
	"error": errorView{}, "login": loginView{}, "first_owner": linkView{}, "set_password": linkView{}, "triage": triageView{},
	"case": caseView{}, "customer": customerView{}, "customers": customersView{}, "trends": trendsView{}, "unusual": unusualView{}, "collectors": collectorsView{},
	"quarantine": quarantineView{}, "quarantine_item": quarantineItemView{}, "settings": settingsView{}, "learned": learnedView{},
}

// fill gives every field of v a value, so that a template visits what it shows
// only when there is something.
func fill(v reflect.Value, depth int) {
	if depth == 0 || !v.CanSet() {
		return
	}
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(map[reflect.Type]string{reflect.TypeFor[schemas.StepState](): "open"}[v.Type()] + "x<y>")
		if v.Type() == reflect.TypeFor[schemas.StepState]() {
			v.SetString("done")
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(2)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), depth-1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), depth-1)
		fill(v.Index(1), depth-1)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		elem := reflect.New(v.Type().Elem()).Elem()
		fill(elem, depth-1)
		v.SetMapIndex(reflect.ValueOf("x").Convert(v.Type().Key()), elem)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), depth-1)
		}
	}
}

// TestEveryPageFitsItsStruct renders each page empty and full: a template that
// names a field its struct lacks fails here.
func TestEveryPageFitsItsStruct(t *testing.T) {
	st, err := newStaticFiles()
	if err != nil {
		t.Fatal(err)
	}
	v, err := newViews(st)
	if err != nil {
		t.Fatal(err)
	}
	for name := range v.pages {
		if pageTypes[name] == nil {
			t.Errorf("page %s has no struct in pageTypes", name)
		}
	}
	for name, sample := range pageTypes {
		empty := reflect.New(reflect.TypeOf(sample))
		full := reflect.New(reflect.TypeOf(sample))
		fill(full.Elem(), 8)
		iconsOf(full.Elem())
		for kind, data := range map[string]reflect.Value{"empty": empty, "full": full} {
			for _, next := range []string{"", "claim", "start", "step", "recover"} {
				switch d := data.Interface().(type) {
				case *caseView:
					d.Next = next
				case *customerView:
					d.Customer = cmp.Or(d.Customer, &customerCard{}) // there always is one
				}
				for _, open := range []bool{true, false} {
					setOpen(data.Interface(), open)
					out, err := v.execute(name, "layout", data.Elem().Interface())
					if err != nil {
						t.Fatalf("%s, %s: %v", name, kind, err)
					}
					check(t, name+" "+kind, string(out))
				}
			}
		}
	}
}

func setOpen(data any, open bool) {
	switch d := data.(type) {
	case *caseView:
		d.Open = open
		d.Form.General = !open
		for i := range d.Steps {
			d.Steps[i].Open = open
		}
	case *triageView:
		d.Queue.IsReview = open
		for i := range d.Queue.Rows {
			d.Queue.Rows[i].Open = open
		}
	}
}

// iconsOf puts the name of a real icon into every field that holds one.
func iconsOf(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			iconsOf(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			iconsOf(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.Kind() == reflect.String && strings.HasSuffix(v.Type().Field(i).Name, "Icon") && f.CanSet() {
				f.SetString("mail")
			} else {
				iconsOf(f)
			}
		}
	}
}

// check holds what every page must have: a title, one h1, a label for each
// input, and no unescaped sample text.
func check(t *testing.T, name, html string) {
	t.Helper()
	if strings.Count(html, "<h1") != 1 {
		t.Errorf("%s: %d main headings", name, strings.Count(html, "<h1"))
	}
	if strings.Contains(html, "x<y>") || strings.Contains(html, "ZgotmplZ") || strings.Contains(html, "%!") {
		t.Errorf("%s: text that is not escaped, or not safe where it stands", name)
	}
	for _, part := range strings.Split(html, "<input ")[1:] {
		tag, _, _ := strings.Cut(part, ">")
		id := attr(tag, "id")
		labelled := strings.Contains(tag, `type="hidden"`) || strings.Contains(tag, "aria-label=") || strings.Contains(tag, `type="radio"`) ||
			strings.Contains(tag, `type="checkbox"`) || id != "" && strings.Contains(html, `for="`+id+`"`)
		if !labelled {
			t.Errorf("%s: no label for %s", name, tag)
		}
	}
}

func attr(tag, name string) string {
	_, after, ok := strings.Cut(" "+tag, " "+name+`="`)
	if !ok {
		return ""
	}
	v, _, _ := strings.Cut(after, `"`)
	return v
}
