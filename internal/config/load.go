package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/adrg/xdg"
	"github.com/agnivade/levenshtein"
	"github.com/goccy/go-yaml"
)

// FileName is looked for in the working directory and in the user's
// configuration directory when no -c is given.
const FileName = "redalert.yaml"

// Load reads path; "" looks for FileName in the working directory, then in the
// XDG configuration directory, and answers Defaults if there is none. Errors
// name file, line and key and never hold a secret.
func Load(path string) (Config, error) {
	if path == "" {
		if path = find(); path == "" {
			c := Defaults()
			return c, c.finish("", nil)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("config: %w", err)
	}
	c, err := Parse(path, b)
	c.Path = path
	return c, err
}

func find() string {
	for _, p := range []string{FileName, filepath.Join(xdg.ConfigHome, "redalert", FileName)} {
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return ""
}

// Parse decodes and checks the bytes of a file; name is for messages, and
// relative *_file paths are taken relative to its directory.
func Parse(name string, b []byte) (Config, error) {
	c := Defaults()
	err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(&c)
	if err != nil && !errors.Is(err, io.EOF) {
		return Config{}, explain(name, err)
	}
	return c, c.finish(name, b)
}

func (c *Config) finish(name string, src []byte) error {
	if err := expandAll(reflect.ValueOf(c).Elem()); err != nil {
		return fmt.Errorf("%s: %w", orDefault(name), err)
	}
	if err := c.readSecretFiles(filepath.Dir(name)); err != nil {
		return fmt.Errorf("%s: %w", orDefault(name), err)
	}
	if c.DataDir == "" {
		c.DataDir = filepath.Join(xdg.DataHome, "redalert")
	}
	return c.validate(name, src)
}

func orDefault(name string) string {
	if name == "" {
		return "defaults"
	}
	return name
}

// explain turns a decoder's error into one line without a source excerpt,
// which could show a secret.
func explain(name string, err error) error {
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		key := unknown.GetToken().Value
		msg := fmt.Sprintf("unknown key %q", key)
		if near := nearest(key); near != "" {
			msg += fmt.Sprintf("; did you mean %q?", near)
		}
		return fmt.Errorf("%s:%d: %s", name, unknown.GetToken().Position.Line, msg)
	}
	var ye yaml.Error
	if errors.As(err, &ye) && ye.GetToken() != nil {
		return fmt.Errorf("%s:%d: %s", name, ye.GetToken().Position.Line, ye.GetMessage())
	}
	return fmt.Errorf("%s: %w", name, err)
}

// nearest is the known key closest to key, if any is close.
func nearest(key string) string {
	best, dist := "", len(key)/2+2
	for _, k := range knownKeys(reflect.TypeFor[Config](), nil) {
		if d := levenshtein.ComputeDistance(key, k); d < dist {
			best, dist = k, d
		}
	}
	return best
}

func knownKeys(t reflect.Type, keys []string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t.PkgPath() != reflect.TypeFor[Config]().PkgPath() {
		return keys
	}
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("yaml"); tag != "" && tag != "-" {
			keys = knownKeys(t.Field(i).Type, append(keys, tag))
		}
	}
	return keys
}

// expandAll replaces ${NAME} in every text value. An unset variable is an
// error: an empty password that nobody notices is worse than a failed start.
func expandAll(v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		s, err := expand(v.String())
		if err != nil {
			return err
		}
		v.SetString(s)
	case reflect.Pointer:
		if !v.IsNil() {
			return expandAll(v.Elem())
		}
	case reflect.Struct:
		if v.Type().PkgPath() != reflect.TypeFor[Config]().PkgPath() {
			return nil
		}
		for i := range v.NumField() {
			if err := expandAll(v.Field(i)); err != nil {
				return err
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := expandAll(v.Index(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

func expand(s string) (string, error) {
	var out strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			out.WriteString(s)
			return out.String(), nil
		}
		j := strings.IndexByte(s[i:], '}')
		if j < 0 {
			return "", errors.New("a ${ without its }; write ${NAME}")
		}
		name := s[i+2 : i+j]
		val, ok := os.LookupEnv(name)
		if !ok {
			return "", fmt.Errorf("environment variable %s is not set", name)
		}
		out.WriteString(s[:i])
		out.WriteString(val)
		s = s[i+j+1:]
	}
}

func (c *Config) readSecretFiles(dir string) error {
	var errs []error
	read := func(where, key string, into *Secret, file string) {
		if file == "" {
			return
		}
		if *into != "" {
			errs = append(errs, fmt.Errorf("%s: give %s or %s_file, not both", where, key, key))
			return
		}
		b, err := os.ReadFile(Relative(dir, file))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.%s_file: %w", where, key, err))
			return
		}
		*into = Secret(strings.TrimRight(string(b), "\r\n"))
	}
	load := func(where string, into *Secret, file string) { read(where, "password", into, file) }
	for i := range c.IMAP {
		load(fmt.Sprintf("imap[%d]", i), &c.IMAP[i].Password, c.IMAP[i].PasswordFile)
	}
	if c.SMTP != nil {
		load("smtp", &c.SMTP.Password, c.SMTP.PasswordFile)
	}
	if k := c.Kafka; k != nil {
		k.CAFile = Relative(dir, k.CAFile)
		if k.SASL != nil {
			load("kafka.sasl", &k.SASL.Password, k.SASL.PasswordFile)
		}
	}
	if h := c.ClickHouse; h != nil {
		h.CAFile = Relative(dir, h.CAFile)
		load("clickhouse", &h.Password, h.PasswordFile)
	}
	if p := c.Postgres; p != nil {
		read("postgres", "url", &p.URL, p.URLFile)
	}
	for i := range c.Sources {
		c.Sources[i].WebhookSecretFile = Relative(dir, c.Sources[i].WebhookSecretFile)
	}
	return errors.Join(errs...)
}

// Relative reads a path of the file relative to the file's directory.
func Relative(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}
