-- What each order event says; orders are folded from these rows. The same event
-- always makes the same row, so copies may be taken away without FINAL.
CREATE TABLE IF NOT EXISTS order_events (
  order_ref      String,
  event_id       String,
  type           LowCardinality(String),
  source         LowCardinality(String),
  occurred_at    DateTime64(3, 'UTC'),
  local_date     Date32,
  placed_at      Nullable(DateTime64(3, 'UTC')), -- as stated
  total          Nullable(Int64),                -- NULL = not stated
  previous_total Nullable(Int64),
  currency       LowCardinality(String),
  caused_by      LowCardinality(String),
  customer_id    String,
  location       LowCardinality(String),
  PROJECTION by_customer (SELECT * ORDER BY customer_id)
) ENGINE = ReplacingMergeTree
ORDER BY (order_ref, event_id)
SETTINGS deduplicate_merge_projection_mode = 'rebuild', fsync_after_insert = 1, fsync_part_directory = 1;

-- The orders as they stand. Who folds more events of an order knows more, so
-- their number is the version. Always read with FINAL: everything but the
-- number of the order may change.
CREATE TABLE IF NOT EXISTS orders (
  order_ref      String,
  customer_id    String,
  source         LowCardinality(String),
  state          LowCardinality(String),
  known          Bool, -- false: only its end (cancelled, refunded) was ever told
  placed_at      DateTime64(3, 'UTC'),
  local_date     Date32, -- of placed_at
  changed_at     DateTime64(3, 'UTC'),
  total          Int64,
  previous_total Nullable(Int64),
  currency       LowCardinality(String),
  net            Int64, -- what it adds to the customer's net revenue; may be negative
  location       LowCardinality(String),
  events         UInt32,
  INDEX by_customer customer_id TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = ReplacingMergeTree(events)
ORDER BY order_ref
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
