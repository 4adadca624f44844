package tracing

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"redalert/schemas"
)

const caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// TestOneTraceFromRequestToCase: the request's trace is what the event carries;
// the scorer's batch links to it, the filed notice is part of it.
func TestOneTraceFromRequestToCase(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tr, err := New(t.Context(), Config{Processor: spans, Sample: 1, Service: "test"})
	if err != nil {
		t.Fatal(err)
	}
	var carried string
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/events", func(_ http.ResponseWriter, r *http.Request) { carried = tr.Parent(r.Context()) })
	req := httptest.NewRequest(http.MethodPost, "/v1/events", nil)
	req.Header.Set("traceparent", caller)
	tr.Handler(mux).ServeHTTP(httptest.NewRecorder(), req)
	if len(carried) != len(caller) || carried[3:35] != caller[3:35] || carried == caller {
		t.Fatalf("the event carries %q; want the caller's trace under a span of ours", carried)
	}

	ev := schemas.Event{ID: "e", Trace: carried}
	_, end := tr.Batch(t.Context(), []schemas.Event{ev, {ID: "without"}, {ID: "broken", Trace: "junk"}})
	end(nil)
	_, end = tr.Notice(t.Context(), schemas.Notice{Kind: schemas.NoticeRed, Event: ev})
	end(errors.New("Maria wrote: nobody came"))

	got := spans.Ended()
	if len(got) != 3 {
		t.Fatalf("%d spans", len(got))
	}
	batch, notice := got[1], got[2]
	if l := batch.Links(); len(l) != 1 || l[0].SpanContext.TraceID().String() != caller[3:35] {
		t.Errorf("the batch links to %v", l)
	}
	if notice.SpanContext().TraceID().String() != caller[3:35] || notice.Status().Code != codes.Error || notice.Status().Description != "failed" {
		t.Errorf("notice in trace %s with status %+v", notice.SpanContext().TraceID(), notice.Status())
	}
	if err := tr.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestOffIsNothing(t *testing.T) {
	tr, err := New(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	h := http.NewServeMux()
	if tr.Handler(h) != http.Handler(h) || tr.Parent(t.Context()) != "" {
		t.Error("tracing that is off does something")
	}
	ctx, end := tr.Batch(context.Background(), []schemas.Event{{Trace: caller}})
	end(nil)
	if tr.Parent(ctx) != "" {
		t.Error("a span where tracing is off")
	}
}
