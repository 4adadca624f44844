-- History: every event with its verdict, and the orders folded from them.
-- customer_id is as the event carries it; readers map it through
-- customer_aliases.

CREATE TABLE events (
  id           INTEGER PRIMARY KEY,
  event_id     TEXT NOT NULL UNIQUE,
  payload      INTEGER NOT NULL, -- payloads.id
  source       TEXT NOT NULL,
  type         TEXT NOT NULL,
  occurred_at  INTEGER NOT NULL,
  collected_at INTEGER NOT NULL,
  local_date   TEXT NOT NULL,
  customer_id  TEXT NOT NULL,
  location     TEXT NOT NULL
) STRICT;
CREATE INDEX events_collected ON events (collected_at, event_id);
CREATE INDEX events_customer ON events (customer_id, occurred_at) WHERE customer_id <> '';
CREATE INDEX events_day ON events (local_date);

-- The standing verdict of each event: the first one stored.
CREATE TABLE verdicts (
  id         INTEGER PRIMARY KEY, -- events.id
  event_id   TEXT NOT NULL,
  red        INTEGER NOT NULL,
  scored_at  INTEGER NOT NULL,
  categories TEXT NOT NULL, -- JSON array
  value      BLOB NOT NULL  -- JSON
) STRICT;
CREATE INDEX verdicts_scored ON verdicts (scored_at, event_id);

-- What each order event says; orders are folded from these rows.
CREATE TABLE order_events (
  event_id       TEXT PRIMARY KEY,
  order_ref      TEXT NOT NULL,
  type           TEXT NOT NULL,
  source         TEXT NOT NULL,
  occurred_at    INTEGER NOT NULL,
  local_date     TEXT NOT NULL,
  placed_at      INTEGER, -- as stated
  total          INTEGER, -- NULL = not stated
  previous_total INTEGER,
  currency       TEXT NOT NULL,
  caused_by      TEXT NOT NULL,
  customer_id    TEXT NOT NULL,
  location       TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX order_events_ref ON order_events (order_ref);
CREATE INDEX order_events_customer ON order_events (customer_id, occurred_at) WHERE customer_id <> '';

CREATE TABLE orders (
  order_ref      TEXT PRIMARY KEY,
  customer_id    TEXT NOT NULL,
  source         TEXT NOT NULL,
  state          TEXT NOT NULL,
  known          INTEGER NOT NULL, -- 0: only its end (cancelled, refunded) was ever told
  placed_at      INTEGER NOT NULL,
  local_date     TEXT NOT NULL, -- of placed_at
  changed_at     INTEGER NOT NULL,
  total          INTEGER NOT NULL,
  previous_total INTEGER,
  currency       TEXT NOT NULL,
  net            INTEGER NOT NULL, -- what it adds to the customer's net revenue; may be negative
  location       TEXT NOT NULL
) STRICT;
CREATE INDEX orders_placed ON orders (placed_at, order_ref);
CREATE INDEX orders_revenue ON orders (placed_at, customer_id, net);
CREATE INDEX orders_customer ON orders (customer_id, placed_at);
