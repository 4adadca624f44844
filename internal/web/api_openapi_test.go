package web

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"redalert/internal/auth"
)

// TestOpenAPIDescribesTheRoutes: every route for programs stands in the
// document, and nothing else does.
func TestOpenAPIDescribesTheRoutes(t *testing.T) {
	var doc struct {
		OpenAPI string                               `json:"openapi"`
		Paths   map[string]map[string]map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(openAPIDocument, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") {
		t.Errorf("version %s", doc.OpenAPI)
	}
	var described, served []string
	ids := map[string]string{}
	for path, ops := range doc.Paths {
		for method, op := range ops {
			at := strings.ToUpper(method) + " " + path
			described = append(described, at)
			id, _ := op["operationId"].(string)
			if other := ids[id]; id == "" || other != "" {
				t.Errorf("%s: operationId %q is missing or also that of %s", at, id, other)
			}
			ids[id] = at
		}
	}
	s := &Server{Deps: Deps{Doors: &Doors{}, Auth: &auth.Service{}, Metrics: http.NotFoundHandler()}}
	for _, rt := range s.routes() {
		if strings.HasPrefix(rt.Path, "/v1/") || slices.Contains([]string{"/openapi.json", "/healthz", "/readyz", "/metrics"}, rt.Path) {
			served = append(served, rt.Method+" "+rt.Path)
		}
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described %q\nserved    %q", described, served)
	}
}

// TestOpenAPIRefsResolve: every $ref points at something.
func TestOpenAPIRefsResolve(t *testing.T) {
	var doc any
	if err := json.Unmarshal(openAPIDocument, &doc); err != nil {
		t.Fatal(err)
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				at := doc
				for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
					m, _ := at.(map[string]any)
					at = m[part]
				}
				if at == nil {
					t.Errorf("%s points nowhere", ref)
				}
			}
			for _, x := range v {
				walk(x)
			}
		case []any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(doc)
}
