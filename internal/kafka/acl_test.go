package kafka

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"redalert/internal/servertest"
)

// topicRules allows operations on our two topics of a prefix.
func topicRules(prefix string, ops ...kmsg.ACLOperation) (rules []kfake.ACL) {
	for _, topic := range []string{TopicFeedback, TopicAlerts} {
		for _, op := range ops {
			rules = append(rules, kfake.ACL{Resource: kmsg.ACLResourceTypeTopic, Name: prefix + topic,
				Pattern: kmsg.ACLResourcePatternTypeLiteral, Operation: op, Allow: true})
		}
	}
	return rules
}

// groupRules allows Read on the groups of a prefix.
func groupRules(prefix string) (rules []kfake.ACL) {
	for _, topic := range []string{TopicFeedback, TopicAlerts} {
		rules = append(rules, kfake.ACL{Resource: kmsg.ACLResourceTypeGroup, Name: prefix + topic + ".",
			Pattern: kmsg.ACLResourcePatternTypePrefixed, Operation: kmsg.ACLOperationRead, Allow: true})
	}
	return rules
}

// TestAccessRules: the rules that docs/operations.md names are enough for
// migrate, doctor and the work, and the ones it names for migrate and doctor are
// needed; whoever lacks one is told all of them.
func TestAccessRules(t *testing.T) {
	const prefix = "acl."
	work := []kmsg.ACLOperation{kmsg.ACLOperationRead, kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe}
	doctor := slices.Concat(work, []kmsg.ACLOperation{kmsg.ACLOperationDescribeConfigs})
	migrate := slices.Concat(doctor, []kmsg.ACLOperation{kmsg.ACLOperationCreate, kmsg.ACLOperationAlterConfigs})
	user := func(name string, ops []kmsg.ACLOperation) kfake.Opt {
		return kfake.User("PLAIN", name, servertest.KafkaPassword, append(topicRules(prefix, ops...), groupRules(prefix)...)...)
	}
	addr := fake(t, kfake.EnableACLs(), kfake.EnableSASL(), user("work", work), user("doctor", doctor),
		user("creates", slices.Concat(doctor, []kmsg.ACLOperation{kmsg.ACLOperationCreate})), user("migrate", migrate)).ListenAddrs()[0]
	as := func(name string, change func(*Config)) *Log {
		c := config(addr)
		c.Prefix, c.SASL = prefix, &SASL{Mechanism: Plain, User: name, Password: servertest.KafkaPassword}
		if change != nil {
			change(&c)
		}
		l, err := Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	denied := func(what string, err error) {
		t.Helper()
		for _, word := range []string{"may not do that", "Read, Write, Describe and DescribeConfigs", "Create and AlterConfigs"} {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v, want %q", what, err, word)
			}
		}
	}
	allowed := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	denied("migrate without Create", as("doctor", nil).Migrate(t.Context()))
	allowed("migrate", as("migrate", nil).Migrate(t.Context()))
	longer := func(c *Config) { c.Retention = maxRetention / 2 }
	denied("migrate without AlterConfigs", as("creates", longer).Migrate(t.Context()))
	allowed("doctor", as("doctor", nil).Check(t.Context()))
	denied("doctor without DescribeConfigs", as("work", nil).Check(t.Context()))
	l := as("work", nil)
	allowed("readiness", l.Ping(t.Context()))
	publish(t, l, events("e", 10, 3))
	if seen := drain(t, l.Consumer("score"), 10); len(seen) != 10 {
		t.Errorf("%d events", len(seen))
	}
}
