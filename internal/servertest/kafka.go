package servertest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"redalert/internal/lane"
)

// The one account of a broker with Secure listeners, known to every mechanism.
const (
	KafkaUser     = "redalert"
	KafkaPassword = "not-a-secret"
)

// KafkaOptions says what a broker offers beside plain text.
type KafkaOptions struct {
	// Secure adds a listener with TLS and one with TLS and SASL (PLAIN,
	// SCRAM-SHA-256 and SCRAM-SHA-512), with a certificate for 127.0.0.1.
	Secure bool
	// Parent is the folder that the broker's own lies in; "" = where temporary
	// files lie.
	Parent string
}

// Broker is one Apache Kafka, broker and controller in one process. Its methods
// fail the test themselves and are for one goroutine at a time.
type Broker struct {
	Addr     string // plain text
	TLSAddr  string // TLS, no account needed; "" unless Secure
	SASLAddr string // TLS and SASL; "" unless Secure
	CA       []byte // PEM of the certificate that signed the broker's; nil unless Secure

	dir    string // "" when somebody else runs the broker
	java   string
	jars   string
	cmd    *exec.Cmd
	output *os.File
}

// Kafka starts a broker that ends with the test and waits until it listens.
// With REDALERT_TEST_KAFKA it answers that broker instead (never for Secure,
// and such a broker cannot be killed). Without Java or Maven the test is
// skipped, under CI=true it fails.
func Kafka(t testing.TB, o KafkaOptions) *Broker {
	t.Helper()
	b := newKafka(t, o)
	t.Cleanup(b.remove)
	return b
}

var shared struct {
	sync.Mutex
	broker *Broker
}

// SharedKafka answers the one broker (with Secure listeners, unless
// REDALERT_TEST_KAFKA names another) of this test process and starts it if need
// be. TestMain has to call StopShared.
func SharedKafka(t testing.TB) *Broker {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.broker == nil {
		shared.broker = newKafka(t, KafkaOptions{Secure: os.Getenv("REDALERT_TEST_KAFKA") == ""})
	}
	return shared.broker
}

// StopShared ends the shared broker, if there is one.
func StopShared() {
	shared.Lock()
	defer shared.Unlock()
	if shared.broker != nil {
		shared.broker.remove()
		shared.broker = nil
	}
}

func newKafka(t testing.TB, o KafkaOptions) *Broker {
	t.Helper()
	if addr := os.Getenv("REDALERT_TEST_KAFKA"); addr != "" && !o.Secure && o.Parent == "" {
		return &Broker{Addr: addr}
	}
	java, err := exec.LookPath("java")
	if err != nil {
		lane.Missing(t, "no java found; install the Debian package openjdk-17-jre-headless")
	}
	jars, err := kafkaJars()
	if err != nil {
		lane.Missing(t, "Apache Kafka is not to be had: "+err.Error())
	}
	dir, err := os.MkdirTemp(o.Parent, "redalert-kafka-")
	if err != nil {
		t.Fatal(err)
	}
	b := &Broker{dir: dir, java: java, jars: jars}
	if err := b.format(t, o); err != nil {
		b.remove()
		t.Fatal(err)
	}
	if err := b.start(); err != nil {
		b.remove()
		t.Fatal(err)
	}
	return b
}

// Own reports whether the broker is ours to kill.
func (b *Broker) Own() bool { return b.dir != "" }

// Kill ends the broker as a power cut would (SIGKILL). A broker of somebody
// else skips the test, under CI=true it fails.
func (b *Broker) Kill(t testing.TB) {
	t.Helper()
	if !b.Own() {
		lane.Missing(t, "the broker of REDALERT_TEST_KAFKA is not ours to kill; unset it where Java and Maven are")
	}
	b.kill()
}

// Start starts a killed broker again, on the same data and ports, and waits
// until it listens.
func (b *Broker) Start(t testing.TB) {
	t.Helper()
	if err := b.start(); err != nil {
		t.Fatal(err)
	}
}

func (b *Broker) kill() {
	if b.cmd == nil {
		return
	}
	b.cmd.Process.Kill()
	b.cmd.Wait() // says that it was killed
	b.cmd = nil
	b.output.Close()
}

func (b *Broker) remove() {
	b.kill()
	if b.dir != "" {
		os.RemoveAll(b.dir)
	}
}

// format writes the configuration and prepares the data folder.
func (b *Broker) format(t testing.TB, o KafkaOptions) error {
	conf := kafkaProperties(t, b, o)
	if o.Secure {
		secure, err := b.secureProperties()
		if err != nil {
			return err
		}
		conf += secure
	}
	path := filepath.Join(b.dir, "server.properties")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		return err
	}
	args := []string{"-Xmx128m", "-cp", filepath.Join(b.jars, "*"), "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c", path}
	if o.Secure {
		for _, mechanism := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
			args = append(args, "--add-scram", mechanism+"=[name="+KafkaUser+",password="+KafkaPassword+"]")
		}
	}
	if out, err := exec.Command(b.java, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("formatting Kafka's data folder: %w\n%s", err, out)
	}
	return nil
}

func (b *Broker) start() error {
	var err error
	if b.output, err = os.OpenFile(filepath.Join(b.dir, "output"), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600); err != nil {
		return err
	}
	b.cmd = exec.Command(b.java, "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(b.jars, "*"),
		"kafka.Kafka", filepath.Join(b.dir, "server.properties"))
	b.cmd.Stdout, b.cmd.Stderr = b.output, b.output
	endWithParent(b.cmd)
	if err := b.cmd.Start(); err != nil {
		b.cmd = nil
		return err
	}
	for _, addr := range []string{b.Addr, b.TLSAddr, b.SASLAddr} {
		if err := b.await(addr); err != nil {
			said, _ := os.ReadFile(b.output.Name())
			b.kill()
			return fmt.Errorf("starting Kafka: %w\n%s", err, bytes.TrimSpace(said))
		}
	}
	return nil
}

// await waits until somebody listens at addr.
func (b *Broker) await(addr string) error {
	if addr == "" {
		return nil
	}
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("it does not listen at %s: %w", addr, err)
		}
	}
}

func kafkaProperties(t testing.TB, b *Broker, o KafkaOptions) string {
	controller := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	b.Addr = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	listeners, protocols := "PLAINTEXT://"+b.Addr, "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"
	if o.Secure {
		b.TLSAddr = fmt.Sprintf("127.0.0.1:%d", freePort(t))
		b.SASLAddr = fmt.Sprintf("127.0.0.1:%d", freePort(t))
		listeners += ",SSL://" + b.TLSAddr + ",SASL_SSL://" + b.SASLAddr
		protocols += ",SSL:SSL,SASL_SSL:SASL_SSL"
	}
	return strings.Join([]string{
		"process.roles=broker,controller", "node.id=1", "controller.quorum.voters=1@" + controller,
		"listeners=" + listeners + ",CONTROLLER://" + controller, "advertised.listeners=" + listeners,
		"controller.listener.names=CONTROLLER", "listener.security.protocol.map=" + protocols,
		"log.dirs=" + filepath.Join(b.dir, "data"), "num.partitions=3", "auto.create.topics.enable=true",
		"group.initial.rebalance.delay.ms=0", "group.min.session.timeout.ms=500",
		"offsets.topic.replication.factor=1", "offsets.topic.num.partitions=3",
		"transaction.state.log.replication.factor=1", "transaction.state.log.min.isr=1",
		"share.coordinator.state.topic.replication.factor=1", "share.coordinator.state.topic.min.isr=1",
		"log.segment.delete.delay.ms=1000", "log.cleaner.dedupe.buffer.size=4194304", "",
	}, "\n")
}

// secureProperties writes the certificate and answers what the two secure
// listeners need.
func (b *Broker) secureProperties() (string, error) {
	cert, err := newCertificate()
	if err != nil {
		return "", err
	}
	b.CA = cert.ca
	store := filepath.Join(b.dir, "broker.pem")
	if err := os.WriteFile(store, append(cert.key, cert.chain...), 0o600); err != nil {
		return "", err
	}
	const login = "org.apache.kafka.common.security."
	account := fmt.Sprintf(" required username=%q password=%q", KafkaUser, KafkaPassword)
	return strings.Join([]string{
		"ssl.keystore.type=PEM", "ssl.keystore.location=" + store, "ssl.client.auth=none",
		"sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		"listener.name.sasl_ssl.plain.sasl.jaas.config=" + login + "plain.PlainLoginModule" + account + fmt.Sprintf(" user_%s=%q;", KafkaUser, KafkaPassword),
		"listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=" + login + "scram.ScramLoginModule" + account + ";",
		"listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=" + login + "scram.ScramLoginModule" + account + ";", "",
	}, "\n"), nil
}

var errNoModule = errors.New("no go.mod found above the working directory")

// moduleRoot is the folder of go.mod.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, statErr := os.Stat(filepath.Join(dir, "go.mod")); statErr == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errNoModule
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}
