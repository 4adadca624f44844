package importer

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"

	"redalert/ingest/file"
)

//go:embed presets/*.yaml
var presetFiles embed.FS

// MailText is the preset for files that hold the text of a mail without its
// header.
const MailText = "mail-text"

// Preset is a mapping that comes with the program.
type Preset struct {
	Name        string
	Kind        Kind
	Description string // one line
}

// Presets lists every preset by kind and name, for --help.
func Presets() []Preset {
	var all []Preset
	entries, err := fs.ReadDir(presetFiles, "presets")
	if err != nil {
		return nil // embedded: cannot happen
	}
	for _, e := range entries {
		name := strings.TrimSuffix(e.Name(), ".yaml")
		if m, err := preset(name); err == nil {
			all = append(all, Preset{name, Kind(m.Kind), m.Description})
		}
	}
	all = append(all, Preset{MailText, Mail, "texts of mails without a header, one a file, dated by the file"})
	slices.SortFunc(all, func(a, b Preset) int {
		return strings.Compare(string(a.Kind)+a.Name, string(b.Kind)+b.Name)
	})
	return all
}

// PresetSource is a preset's YAML, to start a mapping of one's own from.
func PresetSource(name string) ([]byte, error) {
	b, err := presetFiles.ReadFile("presets/" + name + ".yaml")
	if err != nil {
		return nil, unknownPreset(name)
	}
	return b, nil
}

func preset(name string) (file.Mapping, error) {
	b, err := PresetSource(name)
	if err != nil {
		return file.Mapping{}, err
	}
	m, err := file.ReadMapping("preset "+name, b, nil)
	m.Lenient()
	return m, err
}

func unknownPreset(name string) error {
	best, dist := "", len(name)/2+2
	for _, p := range Presets() {
		if d := levenshtein.ComputeDistance(name, p.Name); d < dist {
			best, dist = p.Name, d
		}
	}
	hint := ""
	if best != "" {
		hint = fmt.Sprintf("; did you mean %q?", best)
	}
	return fmt.Errorf("%w: %q is neither a preset nor a mapping file%s", ErrUsage, name, hint)
}

// plan is what was made of the options: the mapping, or none for rows whose
// columns are named like our fields.
type plan struct {
	mapping file.Mapping
	generic bool
	text    bool           // mail-text
	loc     *time.Location //
	replay  string         // schemas.Quarantined.Replay of its rows
}

func resolve(o Options) (plan, error) {
	p := plan{replay: "row:" + string(o.Kind)}
	var err error
	switch {
	case o.Kind == Mail && o.Map != "" && o.Map != MailText:
		return plan{}, fmt.Errorf("%w: mail takes no mapping but %s", ErrUsage, MailText)
	case o.Kind == Mail:
		p.text, p.replay = o.Map == MailText, "mail"
	case o.Map == "":
		p.generic = true
		p.mapping = file.Mapping{Kind: string(o.Kind)}
		p.mapping.Lenient()
	default:
		if p.mapping, err = mappingOf(o, &p); err != nil {
			return plan{}, err
		}
	}
	if o.TZ != "" {
		p.mapping.Timezone = o.TZ
		if o.Kind != Mail {
			p.replay = "row:file"
		}
	}
	if p.loc, err = p.mapping.Location(o.Business.Timezone); err != nil {
		return plan{}, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	return p, nil
}

func mappingOf(o Options, p *plan) (file.Mapping, error) {
	m, err := preset(o.Map)
	p.replay = "row:" + o.Map
	if errors.Is(err, ErrUsage) {
		src, readErr := os.ReadFile(o.Map)
		if errors.Is(readErr, fs.ErrNotExist) {
			return file.Mapping{}, err
		}
		if readErr != nil {
			return file.Mapping{}, fmt.Errorf("%w: mapping: %w", ErrUsage, readErr)
		}
		p.replay = "row:file"
		m, err = file.ReadMapping(o.Map, src, preset)
	}
	if err != nil {
		return file.Mapping{}, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if m.Kind != string(o.Kind) {
		return file.Mapping{}, fmt.Errorf("%w: %s maps %s, not %s", ErrUsage, o.Map, m.Kind, o.Kind)
	}
	return m, nil
}

// aliases are the names under which columns of common exports hold our fields,
// beside the fields' own names.
var aliases = map[string][]string{
	"order_ref":      {"order_id", "order", "order_number", "order_no", "invoice", "invoice_no", "invoice_number"},
	"type":           {"event", "status"},
	"occurred_at":    {"date", "time", "timestamp", "created_at", "order_date", "invoice_date", "posted_at", "submitted_at", "updated_at"},
	"customer.ref":   {"ref", "customer", "customer_ref", "customer_id", "customer_number", "customerid"},
	"customer.email": {"email", "e-mail", "customer_email", "email_address"},
	"customer.phone": {"phone", "customer_phone", "telephone", "mobile"},
	"customer.name":  {"name", "customer_name", "full_name"},
	"unit_price":     {"price", "unitprice"},
	"total":          {"amount", "order_total"},
	"quantity":       {"qty"},
	"sku":            {"item", "article", "product_id", "stock_code"},
	"description":    {"product", "product_name"},
	"location":       {"branch", "store", "site"},
	"value_text":     {"text", "comment", "answer", "review", "content", "body"},
	"value_number":   {"rating", "score", "stars", "value"},
	"field_id":       {"question_id"},
	"field_label":    {"question"},
	"submission_id":  {"response_id", "respondent_id"},

	"metadata.subject": {"title"},
	"metadata.author":  {"author"},
	"metadata.url":     {"url", "link"},
}

// generic maps columns named like our fields, or as many exports name them.
// Names of our own win over others. A review's author is no customer: the
// name alone identifies nobody.
func generic(kind Kind, header []string) map[string]string {
	byName := map[string]string{}
	fields := slices.Clone(file.Fields[string(kind)])
	if kind == Reviews {
		fields = append(fields, "metadata.subject", "metadata.author", "metadata.url")
	}
	for _, f := range fields {
		for _, a := range aliases[f] {
			byName[a] = f
		}
	}
	for _, f := range fields {
		byName[f] = f
	}
	if header == nil { // JSON: every name there may be
		return byName
	}
	columns, own := map[string]string{}, map[string]bool{}
	for _, h := range header {
		if f := byName[fieldName(h)]; f == fieldName(h) && f != "" {
			columns[h], own[f] = f, true
		}
	}
	for _, h := range header {
		if f := byName[fieldName(h)]; f != "" && !own[f] && columns[h] == "" {
			columns[h] = f
		}
	}
	return columns
}

// fieldName writes a column's name as ours are: "Order ID" → order_id.
func fieldName(h string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(h)), " ", "_")
}
