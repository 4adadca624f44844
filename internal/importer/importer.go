// Package importer takes files in: it opens them, maps their rows onto events
// and hands those to the Door, in batches, resuming where a killed import
// stopped. The command line is a thin wrapper around Run.
//
// It does not normalise, deduplicate or score: that is the Door's and the
// workers' part, as for every other source.
package importer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"redalert/ingest"
	"redalert/schemas"
)

// Kind is what a file holds.
type Kind string

// Every kind of import.
const (
	Customers Kind = "customers"
	Orders    Kind = "orders"
	Reviews   Kind = "reviews"
	Surveys   Kind = "surveys"
	Mail      Kind = "mail"
)

// Kinds lists every kind in the order of the documentation.
func Kinds() []Kind { return []Kind{Customers, Orders, Reviews, Surveys, Mail} }

// ErrUsage wraps every error that another command line would avoid: an unknown
// kind, preset or key, a column that is not there, a file of the wrong form.
var ErrUsage = errors.New("cannot import")

// Options say what to import and how.
type Options struct {
	Kind   Kind
	Files  []string // paths; for mail also folders
	Source string   // the events' source
	Map    string   // name of a preset or path of a mapping file; "" = columns named like our fields
	TZ     string   // IANA zone of times without one; "" = the mapping's, else the business's
	// OpenCases marks every event with "open_cases": true, so that old red
	// events open cases and write mail as new ones do.
	OpenCases bool
	DryRun    bool // read, map and count; write nothing
	Business  schemas.Business
	Now       func() time.Time // nil = time.Now
	Progress  Progress         // nil = none
	// Memory bounds what is held to bring the lines of orders together, in
	// bytes; beyond it lines go to temporary files. 0 = 64 MiB.
	Memory int64
	// Batch is how many events are handed over at once; 0 = 1000.
	Batch int
}

// Progress is told how far an import is. Done and Total are bytes of the
// file being read, as stored; rows are those dealt with. One goroutine at a time
// calls it, often: it must be quick.
type Progress interface {
	Step(file string, done, total, rows int64)
	Done()
}

// MailItem turns one raw mail into an item. A *ingest.Broken error, or
// Item.Broken, sends it to quarantine; any other error stops the import.
type MailItem func(source string, raw []byte, mailbox string) (ingest.Item, error)

// Ports are what an import writes to.
type Ports struct {
	Acceptor   ingest.Acceptor
	Cursors    ingest.Cursors
	Identities ingest.Identities // customers only
	// Known answers, for each sighting, whether the customer is on file with
	// the same references; it lets a second import of customers count them as
	// duplicates one by one. Nil: they are duplicates when the very same file
	// has been imported completely before.
	Known    func(ctx context.Context, s []schemas.Sighting) ([]bool, error)
	MailItem MailItem // mail only
}

// Report counts what an import did. Its JSON is the last line of import --json.
type Report struct {
	Read        int64 `json:"read"`        // rows of the files, or mails, those skipped included
	Events      int64 `json:"events"`      // events (customers: persons) the rows became
	Accepted    int64 `json:"accepted"`    // of Events: new
	Duplicate   int64 `json:"duplicate"`   // of Events: there already
	Quarantined int64 `json:"quarantined"` // rows that are in quarantine now
	ResumedAt   int64 `json:"resumed_at"`  // rows skipped because an import cut short had done them
	// Adjustments counts orders that are none: invoices of nothing but
	// negative quantities that cancel nothing.
	Adjustments int64 `json:"adjustments,omitempty"`
}

// Run imports every file of o, in order. Bad rows go to quarantine and are
// counted; an error means that the import did not get to its end, and the
// report says how far it got. Running it again resumes there. When ctx ends,
// what is under way is finished and Run answers ctx's error. Run is not meant
// to be called twice at once for the same source.
func Run(ctx context.Context, o Options, p Ports) (Report, error) {
	if err := check(&o, p); err != nil {
		return Report{}, err
	}
	m, err := resolve(o)
	if err != nil {
		return Report{}, err
	}
	r := &run{opt: o, ports: p, plan: m}
	if o.Progress != nil {
		defer o.Progress.Done()
	}
	return r.all(ctx)
}

func check(o *Options, p Ports) error {
	if !slices.Contains(Kinds(), o.Kind) {
		return fmt.Errorf("%w: unknown kind %q; there are %s", ErrUsage, o.Kind, kindNames())
	}
	if len(o.Files) == 0 {
		return fmt.Errorf("%w: no file given", ErrUsage)
	}
	if strings.TrimSpace(o.Source) == "" {
		return fmt.Errorf("%w: no source given; name it with --source NAME, the same each time for the same files", ErrUsage)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Memory <= 0 {
		o.Memory = 64 << 20
	}
	if o.Batch <= 0 {
		o.Batch = 1000
	}
	switch {
	case o.DryRun:
	case p.Cursors == nil:
		return errors.New("importer: no Cursors given")
	case o.Kind == Customers && p.Identities == nil:
		return errors.New("importer: no Identities given")
	case o.Kind != Customers && p.Acceptor == nil:
		return errors.New("importer: no Acceptor given")
	}
	if o.Kind == Mail && p.MailItem == nil {
		return errors.New("importer: no MailItem given")
	}
	return nil
}

func kindNames() string {
	var names []string
	for _, k := range Kinds() {
		names = append(names, string(k))
	}
	return strings.Join(names, ", ")
}
