package deploy

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"redalert/internal/config"
)

const root = "../.."

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// project is docker-compose.yml with the given files over it, every profile
// included, as Compose itself reads it with nothing set in the environment.
func project(t *testing.T, over ...string) *types.Project {
	t.Helper()
	dir, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	details := types.ConfigDetails{WorkingDir: dir, Environment: types.Mapping{}}
	for _, name := range append([]string{"docker-compose.yml"}, over...) {
		details.ConfigFiles = append(details.ConfigFiles, types.ConfigFile{Filename: filepath.Join(dir, name)})
	}
	p, err := loader.LoadWithContext(context.Background(), details, func(o *loader.Options) {
		o.SetProjectName("redalert", false)
		o.Profiles = []string{"*"}
	})
	if err != nil {
		t.Fatalf("docker-compose.yml: %v", err)
	}
	if len(p.Services) < 9 {
		t.Fatalf("only %d services were read", len(p.Services))
	}
	return p
}

// ours tells our own services from the servers'.
func ours(s types.ServiceConfig) bool { return strings.HasPrefix(s.Image, "redalert:") }

// oneShot services do their work and end.
func oneShot(s types.ServiceConfig) bool { return s.Name == "migrate" || s.Name == "seed" }

// secrets are what make compose-secrets writes, in a folder of its own.
func secrets(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "secrets")
	out, err := exec.Command(filepath.Join(root, "scripts/compose-secrets.sh"), dir).CombinedOutput()
	if err != nil {
		t.Fatalf("compose-secrets: %v\n%s", err, out)
	}
	return dir
}

// configOf reads deploy/redalert.yaml as the program does inside a container of
// the service: with its environment, and with the secrets it is given under
// /run/secrets and no others.
func configOf(t *testing.T, p *types.Project, service string) config.Config {
	t.Helper()
	s, from, mounted := p.Services[service], secrets(t), t.TempDir()
	for _, ref := range s.Secrets {
		name := filepath.Base(cmp.Or(ref.Target, ref.Source))
		b, err := os.ReadFile(filepath.Join(from, filepath.Base(p.Secrets[ref.Source].File)))
		if err != nil {
			t.Fatalf("%s: %v", service, err)
		}
		if err := os.WriteFile(filepath.Join(mounted, name), b, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	for name, value := range s.Environment {
		t.Setenv(name, *value)
	}
	text := strings.ReplaceAll(read(t, "deploy/redalert.yaml"), "/run/secrets/", mounted+"/")
	cfg, err := config.Parse("deploy/redalert.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%s cannot start: %v", service, err)
	}
	return cfg
}
