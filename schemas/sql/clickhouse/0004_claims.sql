-- Where two scorers stored the same event at once, the verdict that stands. The
-- server drops a second insert under the same deduplication token, the event's
-- id, so that of two that claim at once one wins and both read the winner.
CREATE TABLE IF NOT EXISTS claims (
  event_id String,
  verdict  String CODEC(ZSTD(1)), -- JSON
  at       DateTime64(3, 'UTC')
) ENGINE = MergeTree
ORDER BY event_id
TTL toDateTime(at) + INTERVAL 7 DAY
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1;
