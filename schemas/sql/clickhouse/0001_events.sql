-- History: every event with its verdict. A row is never changed: another row of
-- the same key with a higher version takes its place, when parts merge and for
-- readers that use FINAL. The key holds nothing that scoring again may change,
-- and the partition follows from the key, so that all rows of one event meet.
--
-- version, from the top: number of the rescore (16 bits); settled (8), set on
-- the row that ends a race of two scorers; scored_at, inverted (64), so that of
-- two verdicts the first stands; the verdict's hash (40), so that two of one
-- instant have an order.
--
-- customer_id is as the event carries it; readers map it through the aliases.
--
-- The log is told to move on once an insert is answered, so an answered insert
-- must survive a power cut: fsync.

CREATE TABLE IF NOT EXISTS events (
  event_id     String,
  source_type  LowCardinality(String),
  type         LowCardinality(String),
  source       LowCardinality(String),
  location     LowCardinality(String),
  customer_id  String,
  occurred_at  DateTime64(3, 'UTC'),
  collected_at DateTime64(3, 'UTC'),
  local_date   Date32,                   -- of occurred_at, in the business's time zone
  event        String CODEC(ZSTD(1)),    -- CloudEvents JSON
  rescore      UInt16,
  settled      UInt8,
  scored_at    DateTime64(3, 'UTC'),
  red          Bool,
  categories   Array(LowCardinality(String)),
  verdict      String CODEC(ZSTD(1)),    -- JSON
  writer       UInt64 CODEC(ZSTD(1)),    -- which call stored the row
  version      UInt128 MATERIALIZED bitShiftLeft(toUInt128(rescore), 112) + bitShiftLeft(toUInt128(settled), 104)
                 + bitShiftLeft(toUInt128(9223372036854775807 - toUnixTimestamp64Milli(scored_at)), 40) + bitAnd(sipHash64(verdict), 1099511627775),
  INDEX by_id event_id TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX by_customer customer_id TYPE bloom_filter(0.001) GRANULARITY 1,
  INDEX by_day local_date TYPE minmax GRANULARITY 1,
  INDEX by_collected collected_at TYPE minmax GRANULARITY 1,
  INDEX by_scored scored_at TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (toDate(occurred_at), source_type, event_id)
SETTINGS enable_block_number_column = 1, fsync_after_insert = 1, fsync_part_directory = 1;
