package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"redalert/ingest"

	kafkago "github.com/segmentio/kafka-go"
)

// Settings of topics that we care about.
const (
	cleanupPolicy = "cleanup.policy"
	retentionMS   = "retention.ms"
	maxMessage    = "max.message.bytes"
	timestampType = "message.timestamp.type"
	minInSync     = "min.insync.replicas"
)

// With manyCopies of a partition, what is acknowledged has to be on safeCopies
// of them: any one broker may be lost, and any one down, without loss or
// standstill. With fewer copies one broker that is down would stop all writing.
const (
	manyCopies = 3
	safeCopies = 2
)

// topicState is one topic as it is on the brokers.
type topicState struct {
	name       string
	exists     bool
	partitions int
	replicas   int // of the partition that has fewest
	settings   map[string]string
}

// Migrate creates the topics that are missing and sets retention, message size
// and, with three copies or more, min.insync.replicas (2 where it is less) of
// those that exist; it may be run at any time. It refuses a topic that is
// compacted, and does not add copies or partitions: an event's partition follows
// from its key and their number, and the order of a customer's events would break.
func (l *Log) Migrate(ctx context.Context) error {
	n, err := connect(&l.cfg) // not what l.conns may have cached
	if err != nil {
		return err
	}
	defer n.close()
	var problems []error
	for _, topic := range []string{TopicFeedback, TopicAlerts} {
		if err := l.migrate(ctx, n, l.cfg.Prefix+topic); err != nil {
			problems = append(problems, err)
		}
	}
	if len(problems) == 0 {
		problems = append(problems, unavailable("topics that were created", l.settled(ctx)))
	}
	l.conns.close() // so that the topics are seen at once
	return errors.Join(problems...)
}

// settled waits, at most callTimeout, until the brokers know the topics and
// their leaders: one that was created is usable only a moment later.
func (l *Log) settled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for {
		err := l.look(ctx)
		if err == nil || ingest.Sleep(ctx, firstBackoff) != nil {
			return err
		}
	}
}

// look is settled's question, over connections that have cached nothing.
func (l *Log) look(ctx context.Context) error {
	n, err := connect(&l.cfg)
	if err != nil {
		return err
	}
	defer n.close()
	return n.look(ctx)
}

// look asks the brokers for both logs' ends.
func (n *connections) look(ctx context.Context) error {
	for _, topic := range []string{n.cfg.Prefix + TopicFeedback, n.cfg.Prefix + TopicAlerts} {
		ids, err := n.partitions(ctx, topic)
		if err != nil {
			return err
		}
		if _, err := n.ends(ctx, topic, ids); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) migrate(ctx context.Context, n *connections, name string) error {
	what := "topic " + name
	t, err := n.topic(ctx, name)
	if err != nil {
		return unavailable(what, err)
	}
	if !t.exists {
		return unavailable("create "+what, n.create(ctx, name, &l.cfg))
	}
	if t.compacted() {
		return fmt.Errorf("%s: %w", what, errCompacted)
	}
	if err := n.adjust(ctx, t, &l.cfg); err != nil {
		return unavailable("set "+what, err)
	}
	if t.partitions < l.cfg.Partitions {
		return fmt.Errorf("%s: %w", what, tooFew(t.partitions, l.cfg.Partitions))
	}
	return nil
}

var errCompacted = errors.New("its cleanup.policy holds compact, which throws away all but the latest event of each customer; " +
	"set cleanup.policy=delete, or choose another kafka.prefix")

func tooFew(have, want int) error {
	return fmt.Errorf("it has %d partitions and %d are configured; adding some would break the order of customers' events: "+
		"configure %d, or choose another kafka.prefix for a new log", have, want, have)
}

func (t topicState) compacted() bool {
	return t.exists && strings.Contains(t.settings[cleanupPolicy], "compact")
}

// number answers a numeric setting; 0 when it is missing.
func (t topicState) number(name string) int64 {
	v, _ := strconv.ParseInt(t.settings[name], 10, 64) // the brokers' own words
	return v
}

// unsafe reports whether the brokers acknowledge what only one of many copies holds.
func (t topicState) unsafe() bool {
	return t.replicas >= manyCopies && t.number(minInSync) < safeCopies
}

// wanted is what a topic of ours has to be set to.
func wanted(t topicState, c *Config) map[string]string {
	w := map[string]string{
		retentionMS:   strconv.FormatInt(c.Retention.Milliseconds(), 10),
		maxMessage:    strconv.Itoa(maxMessageBytes),
		timestampType: "LogAppendTime", // retention by the brokers' clock, whatever ours says
	}
	if t.unsafe() {
		w[minInSync] = strconv.Itoa(safeCopies)
	}
	return w
}

func (n *connections) create(ctx context.Context, name string, c *Config) error {
	entries := []kafkago.ConfigEntry{{ConfigName: cleanupPolicy, ConfigValue: "delete"}}
	for k, v := range wanted(topicState{replicas: c.Replication}, c) {
		entries = append(entries, kafkago.ConfigEntry{ConfigName: k, ConfigValue: v})
	}
	res, err := n.client.CreateTopics(ctx, &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{
		{Topic: name, NumPartitions: c.Partitions, ReplicationFactor: c.Replication, ConfigEntries: entries},
	}})
	if err != nil {
		return err
	}
	err = res.Errors[name]
	switch {
	case errors.Is(err, kafkago.TopicAlreadyExists): // another migrate, at the same time
		return nil
	case errors.Is(err, kafkago.InvalidReplicationFactor):
		return fmt.Errorf("%d copies are configured, more than there are brokers: %w", c.Replication, err)
	}
	return err
}

// adjust sets what differs.
func (n *connections) adjust(ctx context.Context, t topicState, c *Config) error {
	var changes []kafkago.IncrementalAlterConfigsRequestConfig
	for k, v := range wanted(t, c) {
		if t.settings[k] != v {
			changes = append(changes, kafkago.IncrementalAlterConfigsRequestConfig{Name: k, Value: v, ConfigOperation: kafkago.ConfigOperationSet})
		}
	}
	if len(changes) == 0 {
		return nil
	}
	res, err := n.client.IncrementalAlterConfigs(ctx, &kafkago.IncrementalAlterConfigsRequest{
		Resources: []kafkago.IncrementalAlterConfigsRequestResource{{ResourceType: kafkago.ResourceTypeTopic, ResourceName: t.name, Configs: changes}},
	})
	if err != nil {
		return err
	}
	for _, r := range res.Resources {
		if r.Error != nil {
			return r.Error
		}
	}
	return nil
}

// topic asks the brokers what a topic is like.
func (n *connections) topic(ctx context.Context, name string) (topicState, error) {
	t := topicState{name: name, settings: map[string]string{}}
	meta, err := n.client.Metadata(ctx, &kafkago.MetadataRequest{Topics: []string{name}})
	if err != nil {
		return t, err
	}
	for _, m := range meta.Topics {
		if errors.Is(m.Error, kafkago.UnknownTopicOrPartition) {
			return t, nil
		}
		if m.Error != nil {
			return t, m.Error
		}
		t.exists, t.partitions = true, len(m.Partitions)
		for i, p := range m.Partitions {
			if i == 0 || len(p.Replicas) < t.replicas {
				t.replicas = len(p.Replicas)
			}
		}
	}
	res, err := n.client.DescribeConfigs(ctx, &kafkago.DescribeConfigsRequest{
		Resources: []kafkago.DescribeConfigRequestResource{{ResourceType: kafkago.ResourceTypeTopic, ResourceName: name}},
	})
	if err != nil {
		return t, err
	}
	for _, r := range res.Resources {
		if r.Error != nil {
			return t, r.Error
		}
		for _, e := range r.ConfigEntries {
			t.settings[e.ConfigName] = e.ConfigValue
		}
	}
	return t, nil
}
