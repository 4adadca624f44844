// Package tracing follows an event across processes with OpenTelemetry: from
// the request that brought it, through the log, to the scorer and the case. It
// is off unless an OTLP endpoint is configured; everything is then a no-op that
// costs next to nothing.
//
// Between processes the W3C trace context (https://www.w3.org/TR/trace-context/)
// travels in schemas.Event.Trace, which the log carries as a header; it is never
// part of what is stored or exported. Spans hold ids and counts, never a
// customer's words, address or name.
package tracing

import (
	"context"
	"fmt"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.26.0"
	api "go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"redalert/schemas"
)

// Config says where traces go.
type Config struct {
	Endpoint string  // OTLP over HTTP, such as http://collector:4318; "" = off
	Sample   float64 // share of traces kept, 0–1; what a caller decided is kept to
	Service  string  // how this process is called, such as redalert-score
	Version  string
	// Processor takes the spans instead of the endpoint; for tests.
	Processor trace.SpanProcessor
}

// Tracing starts spans. Its methods may be called concurrently. The zero value
// is not usable; New with an empty Config is.
type Tracing struct {
	tracer     api.Tracer
	provider   api.TracerProvider
	propagator propagation.TraceContext
	stop       func(context.Context) error
}

// New starts exporting, in the background, if c names where to. It does not
// check that the endpoint can be reached: traces that cannot be delivered are
// dropped, work goes on.
func New(ctx context.Context, c Config) (*Tracing, error) {
	if c.Endpoint == "" && c.Processor == nil {
		p := noop.NewTracerProvider()
		return &Tracing{tracer: p.Tracer("redalert"), provider: p, stop: func(context.Context) error { return nil }}, nil
	}
	processor := c.Processor
	if processor == nil {
		exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.Endpoint))
		if err != nil {
			return nil, fmt.Errorf("tracing: %w", err)
		}
		processor = trace.NewBatchSpanProcessor(exporter)
	}
	p := trace.NewTracerProvider(
		trace.WithSpanProcessor(processor),
		trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(c.Sample))),
		trace.WithResource(resource.NewSchemaless(semconv.ServiceName(c.Service), semconv.ServiceVersion(c.Version))))
	return &Tracing{tracer: p.Tracer("redalert"), provider: p, stop: p.Shutdown}, nil
}

// Close delivers what is left, as far as ctx allows.
func (t *Tracing) Close(ctx context.Context) error { return t.stop(ctx) }

// Handler makes each request a span, continuing the caller's trace.
func (t *Tracing) Handler(h http.Handler) http.Handler {
	if _, off := t.provider.(noop.TracerProvider); off {
		return h
	}
	return otelhttp.NewHandler(h, "http", otelhttp.WithTracerProvider(t.provider), otelhttp.WithPropagators(t.propagator),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string { return r.Method + " " + r.Pattern }))
}

// Parent is the W3C traceparent of ctx's span; "" when there is none.
func (t *Tracing) Parent(ctx context.Context) string {
	c := propagation.MapCarrier{}
	t.propagator.Inject(ctx, c)
	return c["traceparent"]
}

func (t *Tracing) remote(traceparent string) api.SpanContext {
	ctx := t.propagator.Extract(context.Background(), propagation.MapCarrier{"traceparent": traceparent})
	return api.SpanContextFromContext(ctx)
}

// Batch starts the span of work on many events, linked to the trace of each.
func (t *Tracing) Batch(ctx context.Context, events []schemas.Event) (context.Context, func(error)) {
	var links []api.Link
	for _, e := range events {
		if e.Trace == "" {
			continue
		}
		if sc := t.remote(e.Trace); sc.IsSampled() {
			links = append(links, api.Link{SpanContext: sc})
		}
	}
	ctx, span := t.tracer.Start(ctx, "score batch", api.WithLinks(links...), api.WithSpanKind(api.SpanKindConsumer),
		api.WithAttributes(attribute.Int("redalert.events", len(events))))
	return ctx, func(err error) { end(span, err) }
}

// Notice starts the span of filing one notice, within the trace of the request
// that brought its event.
func (t *Tracing) Notice(ctx context.Context, n schemas.Notice) (context.Context, func(error)) {
	if n.Event.Trace != "" {
		ctx = api.ContextWithRemoteSpanContext(ctx, t.remote(n.Event.Trace))
	}
	ctx, span := t.tracer.Start(ctx, "file notice", api.WithSpanKind(api.SpanKindConsumer),
		api.WithAttributes(attribute.String("redalert.event_id", n.Event.ID), attribute.String("redalert.kind", string(n.Kind))))
	return ctx, func(err error) { end(span, err) }
}

func end(span api.Span, err error) {
	if err != nil {
		span.SetStatus(codes.Error, "failed") // the error's text may hold what a sender wrote
	}
	span.End()
}
