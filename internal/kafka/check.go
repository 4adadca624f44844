package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"redalert/ingest"

	kafkago "github.com/segmentio/kafka-go"
)

// Check tries everything that the log needs, for doctor: each broker is
// reached and accepts the account, the topics exist and are set as they must
// be. It changes nothing, answers nil when all is well, and else every problem
// in words, joined.
func (l *Log) Check(ctx context.Context) error {
	n, err := connect(&l.cfg)
	if err != nil {
		return err
	}
	defer n.close()
	var problems []error
	var brokers []kafkago.Broker
	for _, addr := range l.cfg.Brokers {
		found, err := n.greet(ctx, addr)
		if err != nil {
			problems = append(problems, fmt.Errorf("kafka broker %s: %w", addr, l.explain(err)))
			continue
		}
		brokers = found
	}
	away := l.checkAdvertised(ctx, n, brokers)
	problems = append(problems, away...)
	if len(away) == len(brokers) { // none to ask
		return errors.Join(problems...)
	}
	for _, topic := range []string{TopicFeedback, TopicAlerts} {
		problems = append(problems, l.checkTopic(ctx, n, l.cfg.Prefix+topic, len(brokers))...)
	}
	if len(problems) == 0 {
		if _, err := l.PartitionLags(ctx, TopicFeedback, "doctor"); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// pingTimeout bounds Ping, also where a broker takes the question and is silent.
// It is less than redalert health waits (3 s), so that the reason is told.
const pingTimeout = 2500 * time.Millisecond

// Ping reports whether the log can be used now: the brokers that lead the
// partitions of both topics are asked for their ends, whatever we remember of
// them. It fails with ingest.ErrUnavailable when one does not answer within 2.5 s,
// brokers that are still settling included, and when a topic is missing. It
// joins no group and does not look at settings; see Check for a closer look.
func (l *Log) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	for pause := firstBackoff; ; pause = min(2*pause, longestBack) {
		err := l.conns.look(ctx)
		if err == nil || !settling(err) || ingest.Sleep(ctx, pause) != nil {
			return unavailable("kafka", err)
		}
	}
}

// greet opens a connection, logs in, and asks who else is there.
func (n *connections) greet(ctx context.Context, addr string) ([]kafkago.Broker, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, n.hangUp)()
	conn, err := n.dialer().DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return nil, err
	}
	if _, err := conn.ApiVersions(); err != nil {
		return nil, err
	}
	return conn.Brokers()
}

// checkAdvertised tries the brokers under the names that they go by, which is
// where reading and writing happens.
func (l *Log) checkAdvertised(ctx context.Context, n *connections, brokers []kafkago.Broker) (problems []error) {
	for _, b := range brokers {
		addr := net.JoinHostPort(b.Host, strconv.Itoa(b.Port))
		if _, err := n.greet(ctx, addr); err != nil {
			problems = append(problems, fmt.Errorf("kafka broker %d goes by the name %s (advertised.listeners), under which it does not answer us: %w",
				b.ID, addr, l.explain(err)))
		}
	}
	return problems
}

// checkTopic looks at one topic, on a cluster of that many brokers.
func (l *Log) checkTopic(ctx context.Context, n *connections, name string, brokers int) (problems []error) {
	t, err := n.topic(ctx, name)
	if err != nil {
		return []error{unavailable("topic "+name, err)}
	}
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("topic "+name+": "+format, args...))
	}
	if !t.exists {
		bad(`it is missing; run "redalert migrate"`)
		return problems
	}
	if t.compacted() {
		bad("%w", errCompacted)
	}
	if t.partitions < l.cfg.Partitions {
		bad("%w", tooFew(t.partitions, l.cfg.Partitions))
	}
	problems = append(problems, l.checkCopies(t, brokers)...)
	if ms := t.number(retentionMS); ms < 0 || ms > maxRetention.Milliseconds() {
		bad(`it is kept for more than 30 days; run "redalert migrate"`)
	} else if ms != l.cfg.Retention.Milliseconds() {
		bad(`it is kept for %v and %v is configured; run "redalert migrate"`, time.Duration(ms)*time.Millisecond, l.cfg.Retention)
	}
	if t.number(maxMessage) < maxMessageBytes {
		bad(`it takes messages of %d bytes, and %d are needed; run "redalert migrate"`, t.number(maxMessage), maxMessageBytes)
	}
	return problems
}

// checkCopies looks whether an acknowledged event outlives the loss of a broker.
func (l *Log) checkCopies(t topicState, brokers int) (problems []error) {
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("topic "+t.name+": "+format, args...))
	}
	switch {
	case t.replicas < l.cfg.Replication:
		bad("it has %d copies and %d are configured; a broker that is lost may take events with it; "+
			"more copies of a topic that is there are made with kafka-reassign-partitions.sh", t.replicas, l.cfg.Replication)
	case t.replicas == 1 && brokers > 1:
		bad("it has a single copy though there are %d brokers, as kafka.replication is 1; a broker that is lost takes its events with it: "+
			"set kafka.replication to %d, and have kafka-reassign-partitions.sh make the copies of a topic that is there",
			brokers, min(brokers, manyCopies))
	}
	if t.unsafe() {
		bad(`its min.insync.replicas is %d, so that an acknowledged event may be on one broker only, and lost with it; run "redalert migrate", which sets %d`,
			t.number(minInSync), safeCopies)
	}
	return problems
}

// explain says in words why a broker could not be talked to.
func (l *Log) explain(err error) error {
	if advice := advise(err); advice != "" {
		return fmt.Errorf("%s: %w", advice, err)
	}
	switch {
	case !hungUp(err):
		return err
	case l.cfg.TLS != nil:
		return fmt.Errorf("it hangs up on us or does not answer; does this port speak TLS? (kafka.tls): %w", err)
	case l.cfg.SASL != nil:
		return fmt.Errorf("it hangs up on us or does not answer; does this port want TLS (kafka.tls), or no account (kafka.sasl)?: %w", err)
	}
	return fmt.Errorf("it hangs up on us or does not answer; does this port want TLS (kafka.tls) or an account (kafka.sasl)?: %w", err)
}
