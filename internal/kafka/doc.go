// Package kafka keeps the two logs, feedback and alerts, on Apache Kafka: the
// scaled counterpart of the log tables of package sqlite, behind the same
// ports.
//
// Every event is one message of the topic <prefix>feedback, its key the event's
// partition key, its value the CloudEvents JSON; every notice one of
// <prefix>alerts, keyed by case. Kafka keeps the order within a partition, so
// events of one key are read in the order in which they were published.
//
// Reading goes by consumer groups: every process that calls Consumer("score")
// is one member, and each partition belongs to one member at a time. A batch
// may be committed only by the member that the partition belonged to when it was
// fetched, and only as long as that lasts; docs/adr/0006 says why this is not
// left to the library's Reader.
package kafka
