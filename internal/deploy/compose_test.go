package deploy

import (
	"net/netip"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// pinned is what a pinned tag looks like: at least two numbers.
var pinned = regexp.MustCompile(`^v?\d+\.\d+(\.\d+)*(-[a-z0-9.]+)?$`)

// eachService runs a check on every service, one subtest each.
func eachService(t *testing.T, check func(t *testing.T, p *types.Project, s types.ServiceConfig)) {
	p := project(t)
	for _, name := range p.ServiceNames() {
		t.Run(name, func(t *testing.T) { check(t, p, p.Services[name]) })
	}
}

func TestImagesArePinned(t *testing.T) {
	eachService(t, func(t *testing.T, _ *types.Project, s types.ServiceConfig) {
		i := strings.LastIndexByte(s.Image, ':')
		if i < 0 {
			t.Fatalf("%q has no version", s.Image)
		}
		tag := s.Image[i+1:]
		if ours(s) {
			if tag == "latest" {
				t.Errorf("%s is built here and needs a version", s.Image)
			}
			return
		}
		if !pinned.MatchString(tag) || s.Build != nil {
			t.Errorf("%q is not pinned to a version", s.Image)
		}
	})
}

// TestEachImageIsBuiltOnce: of the services that run an image of ours exactly one
// builds it, and every other waits for that one and pulls nothing: two builders
// of one tag race, and one of them fails ("image already exists").
func TestEachImageIsBuiltOnce(t *testing.T) {
	p := project(t)
	builders := map[string][]string{}
	for _, name := range p.ServiceNames() {
		if s := p.Services[name]; ours(s) && s.Build != nil {
			builders[s.Image] = append(builders[s.Image], name)
		}
	}
	eachService(t, func(t *testing.T, p *types.Project, s types.ServiceConfig) {
		if !ours(s) {
			return
		}
		by := builders[s.Image]
		if len(by) != 1 {
			t.Fatalf("%s is built by %v, want one service", s.Image, by)
		}
		if s.Name == by[0] {
			if len(s.Profiles) > 0 || s.PullPolicy == types.PullPolicyNever {
				t.Errorf("the builder must build whenever the image is missing: profiles %v, pull_policy %s", s.Profiles, s.PullPolicy)
			}
			return
		}
		if s.PullPolicy != types.PullPolicyNever {
			t.Errorf("pull_policy %q: it would be looked for in a registry", s.PullPolicy)
		}
		if _, waits := s.DependsOn[by[0]]; !waits {
			t.Errorf("it does not wait for %s, which builds its image", by[0])
		}
	})
}

func TestContainersAreHardened(t *testing.T) {
	eachService(t, func(t *testing.T, _ *types.Project, s types.ServiceConfig) {
		if !s.ReadOnly {
			t.Error("its root can be written")
		}
		if !slices.Equal(s.CapDrop, []string{"ALL"}) || len(s.CapAdd) > 0 || s.Privileged {
			t.Errorf("capabilities: drop %v, add %v, privileged %v", s.CapDrop, s.CapAdd, s.Privileged)
		}
		if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Error("it may gain privileges")
		}
		if s.Pid != "" || s.Ipc != "" || s.NetworkMode != "" || s.ContainerName != "" || len(s.Devices) > 0 {
			t.Error("it shares something of the host, or cannot be scaled")
		}
		// Kafka's image has a user of its own, and so has ours (see the Dockerfile).
		uid, _, _ := strings.Cut(s.User, ":")
		if root := uid == "0" || uid == "root" || uid == ""; root && !ours(s) && s.Name != "kafka" {
			t.Errorf("it runs as %q", s.User)
		}
	})
}

func TestContainersHaveLimits(t *testing.T) {
	eachService(t, func(t *testing.T, _ *types.Project, s types.ServiceConfig) {
		if s.Deploy == nil || s.Deploy.Resources.Limits == nil {
			t.Fatal("no limits")
		}
		l := s.Deploy.Resources.Limits
		if l.MemoryBytes <= 0 || l.NanoCPUs <= 0 || l.Pids <= 0 {
			t.Errorf("memory %d, cpus %v, pids %d: one is unlimited", l.MemoryBytes, l.NanoCPUs, l.Pids)
		}
		if s.Logging == nil || s.Logging.Options["max-size"] == "" || s.Logging.Options["max-file"] == "" {
			t.Error("its logs grow without end")
		}
		for _, m := range s.Tmpfs {
			if !strings.Contains(m, "size=") {
				t.Errorf("tmpfs %s may take all memory", m)
			}
		}
	})
}

func TestServicesStartAgainAndTellOfThemselves(t *testing.T) {
	eachService(t, func(t *testing.T, _ *types.Project, s types.ServiceConfig) {
		if oneShot(s) {
			if s.Restart != "no" || s.HealthCheck == nil || !s.HealthCheck.Disable {
				t.Error("it ends by itself: no restart, no health")
			}
			return
		}
		if s.Restart != "unless-stopped" {
			t.Errorf("restart %q", s.Restart)
		}
		h := s.HealthCheck
		if h == nil || h.Disable || len(h.Test) < 2 || h.Interval == nil || h.Timeout == nil || h.StartPeriod == nil {
			t.Fatal("no complete health check")
		}
		if *h.Timeout >= *h.Interval {
			t.Errorf("a check may take %s, the next comes after %s", h.Timeout, h.Interval)
		}
		// Requests and batches under way take up to 15 s at the end.
		if grace := s.StopGracePeriod; ours(s) && (grace == nil || time.Duration(*grace) < 20*time.Second) {
			t.Errorf("it is killed after %v, and may need 15 s", grace)
		}
	})
}

// TestDependencies: nothing starts before what it needs, and only migrate
// touches servers that are not migrated.
func TestDependencies(t *testing.T) {
	eachService(t, func(t *testing.T, p *types.Project, s types.ServiceConfig) {
		want := map[string]string{}
		if ours(s) {
			for _, server := range []string{"kafka", "clickhouse", "postgres"} {
				want[server] = types.ServiceConditionHealthy
			}
			if s.Name != "migrate" {
				want["migrate"] = types.ServiceConditionCompletedSuccessfully
			}
		}
		if len(s.DependsOn) != len(want) {
			t.Errorf("depends on %v, want %v", s.DependsOn, want)
		}
		for on, condition := range want {
			if s.DependsOn[on].Condition != condition {
				t.Errorf("waits for %s %q, want %q", on, s.DependsOn[on].Condition, condition)
			}
		}
	})
}

// TestWhatIsReachable: the doors of people and of input on the loopback
// address, and nothing else from anywhere.
func TestWhatIsReachable(t *testing.T) {
	eachService(t, func(t *testing.T, p *types.Project, s types.ServiceConfig) {
		checkPorts(t, s, s.Name == "web" || s.Name == "collect")
		_, outside := s.Networks["edge"]
		if want := slices.Contains([]string{"collect", "alert", "web"}, s.Name); outside != want {
			t.Errorf("on the network with a way out: %v, want %v", outside, want)
		}
		if _, ok := s.Networks["backend"]; !ok {
			t.Error("not on the inner network")
		}
	})
	p := project(t)
	if !p.Networks["backend"].Internal || p.Networks["edge"].Internal {
		t.Error("the inner network must have no way out, the outer one must have it")
	}
	if mail := project(t, "deploy/mail-page.yml").Services["mail"]; len(mail.Ports) != 1 {
		t.Error("deploy/mail-page.yml publishes nothing")
	} else {
		checkPorts(t, mail, true)
	}
}

func checkPorts(t *testing.T, s types.ServiceConfig, published bool) {
	t.Helper()
	if (len(s.Ports) > 0) != published {
		t.Errorf("%d published ports", len(s.Ports))
	}
	for _, port := range s.Ports {
		if a, err := netip.ParseAddr(port.HostIP); err != nil || !a.IsLoopback() {
			t.Errorf("port %s is published on %q; loopback only", port.Published, port.HostIP)
		}
		if s.Deploy != nil && s.Deploy.Replicas != nil && *s.Deploy.Replicas > 1 {
			t.Error("a published port serves one container only")
		}
	}
}

// secretName is what the name of a variable with a secret in it looks like.
var secretName = regexp.MustCompile(`(?i)passw|secret|token|_key$|credential`)

// urlWithPassword is a URL that says too much.
var urlWithPassword = regexp.MustCompile(`://[^/\s:@]*:[^/\s@]+@`)

func TestNoSecretStandsInTheFile(t *testing.T) {
	eachService(t, func(t *testing.T, p *types.Project, s types.ServiceConfig) {
		for name, value := range s.Environment {
			if secretName.MatchString(name) && !strings.HasSuffix(name, "_FILE") {
				t.Errorf("%s would hold a secret", name)
			}
			if value == nil || urlWithPassword.MatchString(*value) {
				t.Errorf("%s takes its value from the caller, or holds a password", name)
			}
		}
		for _, ref := range s.Secrets {
			if p.Secrets[ref.Source].File == "" {
				t.Errorf("secret %s is no file", ref.Source)
			}
		}
	})
	for _, name := range []string{"docker-compose.yml", "deploy/redalert.yaml", "deploy/clickhouse/users.xml", "deploy/clickhouse/config.xml"} {
		if found := regexp.MustCompile(`(?i)\bpassword(_sha256_hex)?["' ]*[:=>]+ *["']?[a-z0-9]`).FindString(read(t, name)); found != "" {
			t.Errorf("%s: %q", name, found)
		}
	}
	ignored := strings.Fields(read(t, ".gitignore"))
	for _, name := range []string{"/secrets/", "/.env"} {
		if !slices.Contains(ignored, name) {
			t.Errorf("git does not ignore %s", name)
		}
	}
}

// TestVolumesAreNamed: data lives in volumes that outlive a container, and
// every server with data has one.
func TestVolumesAreNamed(t *testing.T) {
	used := map[string]bool{}
	eachService(t, func(t *testing.T, p *types.Project, s types.ServiceConfig) {
		for _, v := range s.Volumes {
			if _, ok := p.Volumes[v.Source]; v.Type != "volume" || !ok {
				t.Errorf("%s on %s is no named volume", v.Source, v.Target)
			}
			used[s.Name] = true
		}
		for _, c := range s.Configs {
			if !path.IsAbs(c.Target) || filepath.Dir(p.Configs[c.Source].File) == "" {
				t.Errorf("config %s: %s", c.Source, c.Target)
			}
		}
	})
	for _, server := range []string{"kafka", "clickhouse", "postgres"} {
		if !used[server] {
			t.Errorf("%s forgets its data", server)
		}
	}
}
