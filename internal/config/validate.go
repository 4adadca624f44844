package config

import (
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"
)

// checker collects problems, each with the line of its key.
type checker struct {
	name string
	src  []byte
	errs []error
}

func (k *checker) bad(path, format string, args ...any) {
	where := k.name
	if line := k.line(path); line > 0 {
		where = fmt.Sprintf("%s:%d", k.name, line)
	}
	k.errs = append(k.errs, fmt.Errorf("%s: %s: %s", orDefault(where), path, fmt.Sprintf(format, args...)))
}

func (k *checker) line(path string) int {
	if len(k.src) == 0 {
		return 0
	}
	f, err := parser.ParseBytes(k.src, 0)
	if err != nil {
		return 0
	}
	p, err := yaml.PathString("$." + path)
	if err != nil {
		return 0
	}
	n, err := p.FilterFile(f)
	if err != nil || n == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

// sourceName: what stands in URLs, ids and metrics.
var sourceName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (c *Config) validate(name string, src []byte) error {
	k := &checker{name: name, src: src}
	c.checkServer(k)
	c.checkBusiness(k)
	for i := range c.IMAP {
		c.checkIMAP(k, i)
	}
	c.checkSMTP(k)
	c.checkSources(k)
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		k.bad("log.level", "%q; one of debug, info, warn, error", c.Log.Level)
	}
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		k.bad("log.format", "%q; text or json", c.Log.Format)
	}
	c.checkServers(k)
	c.checkTracing(k)
	return errors.Join(k.errs...)
}

func (c *Config) checkTracing(k *checker) {
	if c.Tracing.Sample < 0 || c.Tracing.Sample > 1 {
		k.bad("tracing.sample", "%v; from 0 to 1", c.Tracing.Sample)
	}
	if c.Tracing.Endpoint == "" {
		return
	}
	if u, err := url.Parse(c.Tracing.Endpoint); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		k.bad("tracing.endpoint", "%q is not an address such as http://collector:4318", c.Tracing.Endpoint)
	}
}

func (c *Config) checkServer(k *checker) {
	if _, _, err := net.SplitHostPort(c.Server.Listen); err != nil {
		k.bad("server.listen", "%q is not host:port, such as 127.0.0.1:8787", c.Server.Listen)
	}
	if c.Server.PublicURL == "" {
		return
	}
	u, err := url.Parse(c.Server.PublicURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || (u.Path != "" && u.Path != "/") {
		k.bad("server.public_url", "%q is not an address such as https://alerts.example.com", c.Server.PublicURL)
	}
}

func (c *Config) checkBusiness(k *checker) {
	if _, err := time.LoadLocation(c.Business.Timezone); err != nil || c.Business.Timezone == "Local" {
		k.bad("business.timezone", "%q is not an IANA time zone such as Europe/Berlin", c.Business.Timezone)
	}
	if !currencyCode.MatchString(c.Business.Currency) {
		k.bad("business.currency", "%q is not an ISO 4217 code such as EUR", c.Business.Currency)
	}
	for code, rate := range c.Business.Rates {
		r, ok := new(big.Rat).SetString(rate)
		if !currencyCode.MatchString(code) || !ok || r.Sign() <= 0 {
			k.bad("business.rates", "%s: %q; write the value of one unit in %s, such as USD: \"0.92\"", code, rate, c.Business.Currency)
		}
	}
	if c.Alerting.OpenCasesFor == 0 {
		k.bad("alerting.open_cases_for", "0 would open no case at all; write a duration such as 14d")
	}
}

func checkTLS(k *checker, path, tls string) {
	if !slices.Contains([]string{"none", "starttls", "tls"}, tls) {
		k.bad(path, "%q; one of none, starttls, tls", tls)
	}
}

func (c *Config) checkIMAP(k *checker, i int) {
	m := &c.IMAP[i]
	at := fmt.Sprintf("imap[%d]", i)
	if m.TLS == "" {
		m.TLS = "tls"
	}
	if m.Port == 0 {
		m.Port = map[string]int{"tls": 993}[m.TLS]
		if m.Port == 0 {
			m.Port = 143
		}
	}
	if m.Mailbox == "" {
		m.Mailbox = "INBOX"
	}
	k.sourceName(at+".name", m.Name)
	checkTLS(k, at+".tls", m.TLS)
	if m.Host == "" {
		k.bad(at, "host is missing")
	}
	if m.User == "" {
		k.bad(at, "user is missing")
	}
	if m.Password == "" {
		k.bad(at, "password is missing; give password, password: ${NAME} or password_file")
	}
}

func (k *checker) sourceName(path, name string) {
	if !sourceName.MatchString(name) {
		k.bad(path, "%q is not a source name: letters, digits, dot, dash and underscore, 64 at most", name)
	}
}

func (c *Config) checkSMTP(k *checker) {
	s := c.SMTP
	if s == nil {
		return
	}
	if s.TLS == "" {
		s.TLS = "starttls"
	}
	if s.Port == 0 {
		s.Port = map[string]int{"tls": 465, "starttls": 587, "none": 25}[s.TLS]
	}
	checkTLS(k, "smtp.tls", s.TLS)
	if s.Host == "" {
		k.bad("smtp", "host is missing")
	}
	if _, err := mail.ParseAddress(s.From); err != nil {
		k.bad("smtp.from", "%q is not a sender such as Riverside Services <care@example.com>", s.From)
	}
}

func (c *Config) checkSources(k *checker) {
	seen := map[string]string{}
	once := func(path, name string) {
		if other, dup := seen[name]; dup && name != "" {
			k.bad(path, "the name %q is used by %s already; ids are made from it, so each source needs its own", name, other)
		}
		seen[name] = path
	}
	for i, m := range c.IMAP {
		once(fmt.Sprintf("imap[%d].name", i), m.Name)
	}
	for i := range c.Reviews {
		r := &c.Reviews[i]
		at := fmt.Sprintf("reviews[%d]", i)
		k.sourceName(at+".name", r.Name)
		once(at+".name", r.Name)
		if r.Kind == "" {
			r.Kind = "jsonld"
		}
		if r.Every == 0 {
			r.Every = Duration(time.Hour)
		}
		if r.Kind != "jsonld" && r.Kind != "feed" {
			k.bad(at+".kind", "%q; jsonld or feed", r.Kind)
		}
		if u, err := url.Parse(r.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			k.bad(at+".url", "%q is not a web address", r.URL)
		}
	}
	for i := range c.Sources {
		s := &c.Sources[i]
		at := fmt.Sprintf("sources[%d]", i)
		k.sourceName(at+".name", s.Name)
		once(at+".name", s.Name)
		if s.Kind != "webhook" {
			k.bad(at+".kind", "%q; this version knows webhook", s.Kind)
		}
		if s.WebhookSecretFile == "" {
			k.bad(at, "webhook_secret_file is missing")
		}
	}
}
