package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	kafkago "github.com/segmentio/kafka-go"

	"redalert/ingest"
	"redalert/schemas"
)

var (
	// ErrClosed is returned by everything after Close.
	ErrClosed = errors.New("the log is closed")
	// ErrStale is returned by the Commit of a batch whose partitions have been
	// given out anew since, or whose log was made anew. It took nothing back that
	// another member has committed; what is in the log comes again, to this member
	// or another.
	ErrStale = errors.New("the batch's partitions were given out anew, or made anew, since it was fetched")
	// ErrStalled is returned by Fetch when events wait, the brokers answer, and
	// rebuilding the member did not help. The process should end and be started anew.
	ErrStalled = fmt.Errorf("events wait and cannot be fetched: %w", schemas.ErrRestart)
	// ErrTooLarge is returned for an event or notice that no topic takes.
	ErrTooLarge = errors.New("larger than a message may be")
)

// unavailable says what failed, in words, and wraps ingest.ErrUnavailable: but
// for messages that are too large, all that a broker refuses may be granted
// later, without our doing.
func unavailable(what string, err error) error {
	if err == nil {
		return nil
	}
	var large kafkago.MessageTooLargeError
	if errors.Is(err, kafkago.MessageSizeTooLarge) || errors.As(err, &large) {
		return fmt.Errorf("%s: %w", what, ErrTooLarge)
	}
	err = first(err)
	if advice := advise(err); advice != "" {
		return fmt.Errorf("%s: %w: %s: %w", what, ingest.ErrUnavailable, advice, err)
	}
	return fmt.Errorf("%s: %w: %w", what, ingest.ErrUnavailable, err)
}

// first answers the first failure of a write; the library's own text repeats
// one for every message.
func first(err error) error {
	var all kafkago.WriteErrors
	if !errors.As(err, &all) {
		return err
	}
	for _, e := range all {
		if e != nil {
			return e
		}
	}
	return err
}

// advise says in words what an error means and what to do; "" when its own
// text is all there is to say.
func advise(err error) string {
	var hostname x509.HostnameError
	var authority x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var dns *net.DNSError
	switch {
	case errors.Is(err, kafkago.SASLAuthenticationFailed):
		return "the user name or password is wrong (kafka.sasl)"
	case errors.Is(err, kafkago.UnsupportedSASLMechanism):
		return "the broker does not offer this mechanism (kafka.sasl)"
	case errors.As(err, &authority):
		return "the broker's certificate is signed by an authority unknown here; name its certificate (kafka.tls)"
	case errors.As(err, &hostname):
		return "the broker's certificate is for another host name; use that name in kafka.brokers and advertised.listeners"
	case errors.As(err, &invalid):
		return "the broker's certificate is not valid now"
	case errors.As(err, &record):
		return "the port does not speak TLS; use the broker's TLS port, or no kafka.tls"
	case errors.As(err, &dns):
		return "the host name is not known here"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there; is the broker running?"
	case errors.Is(err, kafkago.UnknownTopicOrPartition):
		return `the topic is missing; run "redalert migrate"`
	case errors.Is(err, kafkago.TopicAuthorizationFailed), errors.Is(err, kafkago.GroupAuthorizationFailed), errors.Is(err, kafkago.ClusterAuthorizationFailed):
		return `the account may not do that; its access rules (ACLs) need Read, Write, Describe and DescribeConfigs on our topics and Read on our groups, for "redalert migrate" also Create and AlterConfigs on the topics`
	case errors.Is(err, kafkago.NotEnoughReplicas), errors.Is(err, kafkago.NotEnoughReplicasAfterAppend):
		return "too few brokers hold a copy (min.insync.replicas)"
	}
	return ""
}

// hungUp reports whether the other side closed the connection or never
// answered, which is how a listener of another protocol shows.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, context.DeadlineExceeded) || isTimeout(err)
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}
