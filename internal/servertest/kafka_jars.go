package servertest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// kafkaVersion is the release that the real lane runs against.
const kafkaVersion = "4.4.0"

const kafkaPOM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>redalert.test</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + kafkaVersion + `</version></dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`

// kafkaJars answers the folder with Kafka's jars; Maven fetches them once into
// .cache of the module. Two processes may ask at once: each fetches into a
// folder of its own, and the first to finish gives it its name.
func kafkaJars() (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	home := filepath.Join(root, ".cache", "kafka", kafkaVersion)
	lib := filepath.Join(home, "lib")
	if _, err := os.Stat(lib); err == nil {
		return lib, nil
	}
	maven, err := exec.LookPath("mvn")
	if err != nil {
		return "", errors.New("no mvn found; install the Debian package maven")
	}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(home, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	if err := os.WriteFile(filepath.Join(work, "pom.xml"), []byte(kafkaPOM), 0o644); err != nil {
		return "", err
	}
	cmd := exec.Command(maven, "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib")
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("mvn: %w\n%s", err, out)
	}
	if err := os.Rename(filepath.Join(work, "lib"), lib); err != nil && !errors.Is(err, fs.ErrExist) {
		if _, statErr := os.Stat(lib); statErr != nil {
			return "", err
		}
	}
	return lib, nil
}
