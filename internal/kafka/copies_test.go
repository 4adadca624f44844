package kafka

import (
	"strings"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"redalert/ingest"
)

// onThree opens a log on three brokers, without its topics.
func onThree(t *testing.T, copies int) *Log {
	t.Helper()
	cfg := config(fake(t, kfake.NumBrokers(3)).ListenAddrs()[0])
	cfg.Replication = copies
	l, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// make3 makes the topics as an operator may: of three copies, with settings of
// the operator's own.
func make3(t *testing.T, l *Log, settings ...kafkago.ConfigEntry) {
	t.Helper()
	for _, name := range []string{TopicFeedback, TopicAlerts} {
		name = l.cfg.Prefix + name
		res, err := l.conns.client.CreateTopics(t.Context(), &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{
			{Topic: name, NumPartitions: l.cfg.Partitions, ReplicationFactor: 3, ConfigEntries: settings},
		}})
		if err == nil {
			err = res.Errors[name]
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// copiesAre wants both topics to have so many copies and this setting.
func copiesAre(t *testing.T, l *Log, replicas int, inSync int64) {
	t.Helper()
	for _, name := range []string{TopicFeedback, TopicAlerts} {
		s, err := l.conns.topic(t.Context(), l.cfg.Prefix+name)
		if err != nil || s.replicas != replicas || s.number(minInSync) != inSync {
			t.Errorf("%s: %d copies, min.insync.replicas %d, %v; want %d and %d", name, s.replicas, s.number(minInSync), err, replicas, inSync)
		}
	}
}

func mustMigrate(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
}

// checkSays wants doctor to say all of words, and without any to find all well.
func checkSays(t *testing.T, l *Log, words ...string) {
	t.Helper()
	err := l.Check(t.Context())
	if err != nil && len(words) == 0 {
		t.Errorf("Check: %v", err)
	}
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("Check: %v does not say %q", err, w)
		}
	}
}

// TestCopiesOfNewTopics: with three copies an acknowledged event is on two
// brokers; with two, one broker may be down, and writing goes on.
func TestCopiesOfNewTopics(t *testing.T) {
	for copies, inSync := range map[int]int64{2: 1, 3: 2} {
		l := onThree(t, copies)
		for range 2 {
			mustMigrate(t, l)
			copiesAre(t, l, copies, inSync)
			checkSays(t, l)
		}
		publish(t, l, events("e", 3, 1))
		if b := fetchSome(t, l.Consumer("g"), 10); len(b.Events) != 3 {
			t.Errorf("%d copies: %d events", copies, len(b.Events))
		}
	}
}

func TestMoreCopiesThanBrokers(t *testing.T) {
	l := onThree(t, 4)
	err := l.Migrate(t.Context())
	for _, w := range []string{"4 copies are configured, more than there are brokers", TopicFeedback, TopicAlerts, ingest.ErrUnavailable.Error()} {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("Migrate: %v does not say %q", err, w)
		}
	}
	checkSays(t, l, "it is missing")
}

// TestTopicsOfAnOperator: three copies and the default of min.insync.replicas
// may lose what was acknowledged; doctor says so and migrate mends it. What is
// stricter than ours stays.
func TestTopicsOfAnOperator(t *testing.T) {
	l := onThree(t, 3)
	make3(t, l)
	checkSays(t, l, TopicFeedback+": its min.insync.replicas is 1", TopicAlerts+": its min.insync.replicas is 1", `run "redalert migrate"`)
	mustMigrate(t, l)
	copiesAre(t, l, 3, 2)
	checkSays(t, l)

	strict := onThree(t, 3)
	make3(t, strict, kafkago.ConfigEntry{ConfigName: minInSync, ConfigValue: "3"})
	mustMigrate(t, strict)
	copiesAre(t, strict, 3, 3)
	checkSays(t, strict)
}

// TestSingleCopyOnSeveralBrokers: doctor says that kafka.replication was left at
// one copy, unless the topics have more all the same.
func TestSingleCopyOnSeveralBrokers(t *testing.T) {
	l := onThree(t, 1)
	mustMigrate(t, l)
	copiesAre(t, l, 1, 1)
	checkSays(t, l, "a single copy though there are 3 brokers", "set kafka.replication to 3")

	more := onThree(t, 1)
	make3(t, more)
	mustMigrate(t, more)
	copiesAre(t, more, 3, 2)
	checkSays(t, more)
}
