package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"redalert/ingest"

	kafkago "github.com/segmentio/kafka-go"
)

// PartitionLag is how far a group is behind in one partition.
type PartitionLag struct {
	Partition int
	Committed int64 // the next offset that is not committed; -1 before the first commit
	Start     int64 // the log's first offset
	End       int64 // the offset of the next event to be published
	Lag       int64 // events in the log that are not committed
}

// PartitionLags answers every partition of a topic (feedback or alerts, without
// the prefix), by number, as the brokers know it: it is right in a process that
// reads nothing, and does not join the group. It waits at most 10 s for brokers
// that are still settling.
func (l *Log) PartitionLags(ctx context.Context, topic, group string) ([]PartitionLag, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	what := "lag of " + l.groupID(topic, group)
	for pause := firstBackoff; ; pause = min(2*pause, longestBack) {
		lags, err := l.conns.lags(ctx, l.cfg.Prefix+topic, l.groupID(topic, group))
		if err == nil {
			return lags, nil
		}
		if !settling(err) || ingest.Sleep(ctx, pause) != nil {
			return nil, unavailable(what, err)
		}
	}
}

// settling reports whether a broker that has just started, or has just taken
// over, would give another answer in a moment.
func settling(err error) bool {
	return errors.Is(err, kafkago.GroupCoordinatorNotAvailable) || errors.Is(err, kafkago.NotCoordinatorForGroup) ||
		errors.Is(err, kafkago.GroupLoadInProgress) || errors.Is(err, kafkago.LeaderNotAvailable) || errors.Is(err, kafkago.NotLeaderForPartition)
}

// lag sums all partitions.
func (l *Log) lag(ctx context.Context, topic, group string) (n int64, err error) {
	lags, err := l.PartitionLags(ctx, topic, group)
	for _, p := range lags {
		n += p.Lag
	}
	return n, err
}

func (n *connections) lags(ctx context.Context, topic, groupID string) ([]PartitionLag, error) {
	ids, err := n.partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	ends, err := n.ends(ctx, topic, ids)
	if err != nil {
		return nil, err
	}
	done, err := n.committed(ctx, topic, groupID, ids)
	if err != nil {
		return nil, err
	}
	lags := make([]PartitionLag, len(ids))
	for i, id := range ids {
		p := PartitionLag{Partition: id, Committed: done[id], Start: ends[id].FirstOffset, End: ends[id].LastOffset}
		from := max(p.Committed, p.Start)
		if from > p.End { // the log was made anew
			from = p.Start
		}
		p.Lag = p.End - from
		lags[i] = p
	}
	return lags, nil
}

// partitions answers the numbers of a topic's partitions, rising from 0.
func (n *connections) partitions(ctx context.Context, topic string) ([]int, error) {
	meta, err := n.client.Metadata(ctx, &kafkago.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, err
	}
	if len(meta.Topics) != 1 {
		return nil, kafkago.UnknownTopicOrPartition
	}
	if err := meta.Topics[0].Error; err != nil {
		return nil, fmt.Errorf("topic %s: %w", topic, err)
	}
	ids := make([]int, len(meta.Topics[0].Partitions))
	for i := range ids {
		ids[i] = i
	}
	return ids, nil
}

// ends answers the first and the next offset of each partition.
func (n *connections) ends(ctx context.Context, topic string, ids []int) (map[int]kafkago.PartitionOffsets, error) {
	var asked []kafkago.OffsetRequest
	for _, id := range ids {
		asked = append(asked, kafkago.FirstOffsetOf(id), kafkago.LastOffsetOf(id))
	}
	res, err := n.client.ListOffsets(ctx, &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{topic: asked}})
	if err != nil {
		return nil, err
	}
	ends := map[int]kafkago.PartitionOffsets{}
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return nil, fmt.Errorf("topic %s, partition %d: %w", topic, p.Partition, p.Error)
		}
		ends[p.Partition] = p
	}
	if len(ends) != len(ids) {
		return nil, fmt.Errorf("topic %s: the brokers answered %d of %d partitions: %w", topic, len(ends), len(ids), kafkago.LeaderNotAvailable)
	}
	return ends, nil
}

// committed answers each partition's committed offset, -1 for none.
func (n *connections) committed(ctx context.Context, topic, groupID string, ids []int) (map[int]int64, error) {
	res, err := n.client.OffsetFetch(ctx, &kafkago.OffsetFetchRequest{GroupID: groupID, Topics: map[string][]int{topic: ids}})
	if err != nil {
		return nil, err
	}
	done := map[int]int64{}
	for _, id := range ids {
		done[id] = -1
	}
	if errors.Is(res.Error, kafkago.GroupIdNotFound) { // it has never committed
		return done, nil
	}
	if res.Error != nil {
		return nil, res.Error
	}
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return nil, p.Error
		}
		done[p.Partition] = p.CommittedOffset
	}
	return done, nil
}

// Stats is what one member has done since its first Fetch, for metrics.
type Stats struct {
	Topic, Group string
	Member       int   // its number; see ConsumerOf
	Assigned     int   // partitions that are ours now
	Buffered     int64 // bytes read and not committed
	MostBuffered int64 // the most Buffered was
	Fetched      int64 // messages read
	Committed    int64
	Broken       int64 // messages that could not be read
	Gaps, Lost   int64 // jumps in the log, and the messages lost in them
	Generations  int64 // assignments so far
	Rebuilds     int64 // by the lag watchdog
	Hangs        int64 // times the progress watchdog gave the partitions back
	Trouble      string
	TroubleAt    time.Time // of the latest trouble; zero for none
}

// Stats answers every member of this Log, in no order.
func (l *Log) Stats() []Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []Stats
	for _, m := range l.members {
		all = append(all, m.snapshot())
	}
	return all
}
