package deploy

import (
	"encoding/base64"
	"encoding/xml"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

func env(t *testing.T, s types.ServiceConfig, name string) string {
	t.Helper()
	v := s.Environment[name]
	if v == nil || *v == "" {
		t.Errorf("%s has no %s", s.Name, name)
		return ""
	}
	return *v
}

func number(t *testing.T, s types.ServiceConfig, name string) int {
	t.Helper()
	n, err := strconv.Atoi(env(t, s, name))
	if err != nil {
		t.Errorf("%s: %s: %v", s.Name, name, err)
	}
	return n
}

// TestEveryRoleCanReadItsConfiguration: keys are known, each secret that the
// file names is given, each variable is set, and the whole is the scaled
// deployment.
func TestEveryRoleCanReadItsConfiguration(t *testing.T) {
	eachService(t, func(t *testing.T, p *types.Project, s types.ServiceConfig) {
		if !ours(s) {
			return
		}
		if cfg := configOf(t, p, s.Name); !cfg.Scaled() || cfg.Server.PublicURL == "" {
			t.Error("it is not the scaled deployment")
		}
		for name := range s.Environment {
			if !strings.Contains(read(t, "deploy/redalert.yaml"), "${"+name+"}") {
				t.Errorf("nothing reads %s", name)
			}
		}
		if i := slices.IndexFunc(s.Configs, func(c types.ServiceConfigObjConfig) bool { return c.Source == "redalert" }); i < 0 ||
			!slices.Contains(s.Command, s.Configs[i].Target) {
			t.Errorf("command %v does not name the configuration it is given", s.Command)
		}
	})
}

// TestAddressesAgree: who is called answers, at the port that is named.
func TestAddressesAgree(t *testing.T) {
	p := project(t)
	cfg := configOf(t, p, "web")
	kafka, pg := p.Services["kafka"], p.Services["postgres"]

	if len(cfg.Kafka.Brokers) != 1 || !strings.Contains(env(t, kafka, "KAFKA_ADVERTISED_LISTENERS"), "CLIENT://"+cfg.Kafka.Brokers[0]+",") {
		t.Errorf("we call %v, the broker says it is at %s", cfg.Kafka.Brokers, env(t, kafka, "KAFKA_ADVERTISED_LISTENERS"))
	}
	if cfg.ClickHouse.Addr != "clickhouse:9000" { // tcp_port of the image's own configuration
		t.Errorf("clickhouse.addr is %s", cfg.ClickHouse.Addr)
	}
	u, err := url.Parse(cfg.Postgres.URL.Reveal())
	if err != nil {
		t.Fatal("the secret postgres_url is no URL")
	}
	if u.Host != "postgres:5432" || u.User.Username() != env(t, pg, "POSTGRES_USER") || u.Path != "/"+env(t, pg, "POSTGRES_DB") {
		t.Errorf("we sign in as %s at %s%s, the server has %s and %s", u.User.Username(), u.Host, u.Path, env(t, pg, "POSTGRES_USER"), env(t, pg, "POSTGRES_DB"))
	}
	if _, ok := p.Services[cfg.SMTP.Host]; !ok || cfg.SMTP.Port != 1025 { // the catcher's own default
		t.Errorf("mail goes to %s:%d", cfg.SMTP.Host, cfg.SMTP.Port)
	}

	host, port, err := net.SplitHostPort(cfg.Server.Listen)
	if err != nil || host != "0.0.0.0" {
		t.Fatalf("listens on %s; a published port reaches 0.0.0.0 only", cfg.Server.Listen)
	}
	_, metrics, err := net.SplitHostPort(cfg.Server.MetricsListen)
	if err != nil || metrics == port {
		t.Errorf("metrics on %q: they want an address of their own, beside the published one", cfg.Server.MetricsListen)
	}
	for _, name := range p.ServiceNames() {
		s := p.Services[name]
		for _, published := range s.Ports {
			if ours(s) && strconv.Itoa(int(published.Target)) != port {
				t.Errorf("%s publishes %d, the program listens on %s", name, published.Target, port)
			}
		}
		if ours(s) && !oneShot(s) && s.HealthCheck.Test[len(s.HealthCheck.Test)-1] != "http://127.0.0.1:"+port+"/healthz" {
			t.Errorf("%s: its health is asked at %v", name, s.HealthCheck.Test)
		}
	}
	if got := cfg.Server.PublicURL; got != "http://127.0.0.1:"+p.Services["web"].Ports[0].Published {
		t.Errorf("links point to %s, the pages are on %s", got, p.Services["web"].Ports[0].Published)
	}
}

// TestTheLogAgrees: what the broker keeps and copies is what we ask for.
func TestTheLogAgrees(t *testing.T) {
	p := project(t)
	k, cfg := p.Services["kafka"], configOf(t, p, "score").Kafka
	brokers := 0
	for _, s := range p.Services {
		if strings.HasPrefix(s.Image, "apache/kafka:") {
			brokers++
		}
	}
	if cfg.Replication > brokers {
		t.Errorf("%d copies on %d brokers", cfg.Replication, brokers)
	}
	for _, name := range []string{"DEFAULT", "OFFSETS_TOPIC", "TRANSACTION_STATE_LOG", "SHARE_COORDINATOR_STATE_TOPIC"} {
		if n := number(t, k, "KAFKA_"+name+"_REPLICATION_FACTOR"); n != cfg.Replication {
			t.Errorf("%s: %d copies, kafka.replication is %d", name, n, cfg.Replication)
		}
	}
	if cfg.Replication == 1 && number(t, k, "KAFKA_LOG_FLUSH_INTERVAL_MESSAGES") != 1 {
		t.Error("a single copy must be on the disk before it is acknowledged")
	}
	retention := time.Duration(cfg.Retention)
	if got := time.Duration(number(t, k, "KAFKA_LOG_RETENTION_HOURS")) * time.Hour; got != retention {
		t.Errorf("the broker keeps %s, kafka.retention is %s", got, retention)
	}
	if got := time.Duration(number(t, k, "KAFKA_OFFSETS_RETENTION_MINUTES")) * time.Minute; got < retention {
		t.Errorf("offsets are forgotten after %s, the log after %s: a group that stood still would begin anew", got, retention)
	}
	if n := number(t, k, "KAFKA_NUM_PARTITIONS"); n != cfg.Partitions {
		t.Errorf("%d partitions, kafka.partitions is %d", n, cfg.Partitions)
	}
	if r := p.Services["score"].Deploy.Replicas; r == nil || *r > cfg.Partitions {
		t.Errorf("%v scorers share %d partitions", r, cfg.Partitions)
	}
	if env(t, k, "KAFKA_AUTO_CREATE_TOPICS_ENABLE") != "false" {
		t.Error("a misspelt topic would be created")
	}
	if cfg.SASL == nil || strings.ToUpper(cfg.SASL.Mechanism) != env(t, k, "KAFKA_SASL_ENABLED_MECHANISMS") {
		t.Error("we and the broker know no common way to sign in")
	}
	if id, err := base64.RawURLEncoding.DecodeString(env(t, k, "CLUSTER_ID")); err != nil || len(id) != 16 {
		t.Errorf("CLUSTER_ID is %d bytes, want 16: %v", len(id), err)
	}
	checkListeners(t, k)
}

// checkListeners: without a sign-in the broker answers inside its container only.
func checkListeners(t *testing.T, k types.ServiceConfig) {
	t.Helper()
	protocol := map[string]string{}
	for pair := range strings.SplitSeq(env(t, k, "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"), ",") {
		name, how, _ := strings.Cut(pair, ":")
		protocol[name] = how
	}
	seen := 0
	for listener := range strings.SplitSeq(env(t, k, "KAFKA_LISTENERS"), ",") {
		name, addr, _ := strings.Cut(listener, "://")
		host, _, err := net.SplitHostPort(addr)
		if err != nil || protocol[name] == "" {
			t.Errorf("listener %s: %v", listener, err)
		}
		if !strings.HasPrefix(protocol[name], "SASL_") && host != "127.0.0.1" {
			t.Errorf("%s asks for no sign-in and is reached from other containers", listener)
		}
		seen++
	}
	if seen != len(protocol) {
		t.Errorf("%d listeners, %d protocols", seen, len(protocol))
	}
}

type chUsers struct {
	Users struct {
		Default  chUser `xml:"default"`
		Redalert chUser `xml:"redalert"`
	} `xml:"users"`
}

type chUser struct {
	Networks struct {
		Replace string   `xml:"replace,attr"`
		IP      []string `xml:"ip"`
	} `xml:"networks"`
	Hash     string   `xml:"password_sha256_hex"`
	Password *string  `xml:"password"`
	Access   *string  `xml:"access_management"`
	Grants   []string `xml:"grants>query"`
}

func decode(t *testing.T, text string) chUsers {
	t.Helper()
	var u chUsers
	if err := xml.Unmarshal([]byte(text), &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// TestClickHouseUsers: who comes over the network has a password and stays in
// his database.
func TestClickHouseUsers(t *testing.T) {
	p := project(t)
	cfg := configOf(t, p, "web").ClickHouse
	u := decode(t, read(t, "deploy/clickhouse/users.xml")).Users
	if cfg.User != "redalert" {
		t.Fatalf("we sign in as %s; users.xml knows redalert", cfg.User)
	}
	if u.Default.Networks.Replace != "replace" || !slices.Equal(u.Default.Networks.IP, []string{"127.0.0.1", "::1"}) {
		t.Errorf("the user without a password is let in from %v", u.Default.Networks.IP)
	}
	if u.Redalert.Access != nil || u.Redalert.Password != nil || len(u.Redalert.Grants) == 0 {
		t.Error("redalert must have grants, and no more than them")
	}
	on := regexp.MustCompile(`^GRANT [A-Z, ]+ ON (\S+)$`)
	own := false
	for _, g := range u.Redalert.Grants {
		m := on.FindStringSubmatch(g)
		switch {
		case m == nil:
			t.Errorf("grant %q", g)
		case m[1] == cfg.Database+".*":
			own = true
		case strings.HasPrefix(g, "GRANT SELECT ON system."), g == "GRANT TABLE ENGINE ON *":
		default:
			t.Errorf("%q reaches beyond the database %s", g, cfg.Database)
		}
	}
	if !own {
		t.Errorf("no rights in the database %s", cfg.Database)
	}
	var any struct{ XMLName xml.Name }
	if err := xml.Unmarshal([]byte(read(t, "deploy/clickhouse/config.xml")), &any); err != nil || any.XMLName.Local != "clickhouse" {
		t.Errorf("config.xml: %v", err)
	}
	tag := strings.Split(p.Services["clickhouse"].Image[strings.LastIndexByte(p.Services["clickhouse"].Image, ':')+1:], ".")
	major, err1 := strconv.Atoi(tag[0])
	minor, err2 := strconv.Atoi(tag[1])
	if err1 != nil || err2 != nil || major < 25 || major == 25 && minor < 8 {
		t.Errorf("ClickHouse %v; we need 25.8 or newer", tag)
	}
}

// TestSecretsBelongTogether: the secret that the server gets lets in the one that
// we get, for every file that compose names.
func TestSecretsBelongTogether(t *testing.T) {
	p, dir := project(t), secrets(t)
	text := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, filepath.Base(p.Secrets[name].File)))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if want := `user_redalert="` + text("kafka_password") + `"`; !strings.Contains(text("kafka_jaas"), want) {
		t.Error("the broker does not know our password")
	}
	if cfg := configOf(t, p, "web"); cfg.Kafka.SASL.User != "redalert" {
		t.Errorf("the broker knows redalert, not %s", cfg.Kafka.SASL.User)
	}
	if got := decode(t, text("clickhouse_password_hash")).Users.Redalert.Hash; got != sha256hex(text("clickhouse_password")) {
		t.Error("ClickHouse does not know our password")
	}
	if u, err := url.Parse(strings.TrimSpace(text("postgres_url"))); err != nil {
		t.Error("postgres_url is no URL")
	} else if pw, _ := u.User.Password(); pw != text("postgres_password") {
		t.Error("PostgreSQL does not know our password")
	}
}
