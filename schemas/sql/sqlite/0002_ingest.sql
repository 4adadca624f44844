-- What the doors need: the log, receipts, blobs, quarantine, customers.
--
-- Times are INTEGER milliseconds since 1970 in UTC, so that they sort.
--
-- Layout of customers, for whoever searches them:
--   customers         one row per person, id = canonical customer id; name,
--                     email and phone as last written by the sender,
--                     search = lower-cased name, e-mail and refs, one blank
--                     between, and digits = the digits of the phone. Only
--                     canonical rows stand here.
--   customer_keys     every reference ever seen: kind ref|email|phone, value
--                     normalised (e-mail lower case, phone digits only)
--                     → canonical customer id.
--   customer_aliases  ids that were given out before two rows turned out to be
--                     one person: id → canonical (never chained). An id that
--                     is not here is canonical. Map any customer_id c with
--                       coalesce((SELECT canonical FROM customer_aliases a WHERE a.id = c), c)

-- Each event's JSON once: receipts, the log and history point here. A position
-- is never given out twice, so that what points at a pruned row finds nothing.
CREATE TABLE payloads (
  id    INTEGER PRIMARY KEY AUTOINCREMENT,
  value BLOB NOT NULL -- CloudEvents JSON
) STRICT;

CREATE TABLE receipts (
  event_id  TEXT PRIMARY KEY,
  hash      TEXT NOT NULL,
  published INTEGER NOT NULL DEFAULT 0,
  payload   INTEGER NOT NULL -- payloads.id; may be gone once published and pruned
) STRICT, WITHOUT ROWID;
CREATE INDEX receipts_pending ON receipts (payload) WHERE published = 0;

-- The log of events. AUTOINCREMENT: a position is never given out twice, even
-- when the end of the log was pruned.
CREATE TABLE feedback_log (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT NOT NULL,
  key      TEXT NOT NULL, -- partition key
  at       INTEGER NOT NULL,
  payload  INTEGER NOT NULL
) STRICT;

-- The log of alerts: notices, whole.
CREATE TABLE alerts_log (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  event_id TEXT NOT NULL,
  key      TEXT NOT NULL, -- case key
  at       INTEGER NOT NULL,
  value    BLOB NOT NULL
) STRICT;

-- How far each group of readers has got.
CREATE TABLE log_offsets (
  topic    TEXT NOT NULL, -- feedback | alerts
  name     TEXT NOT NULL, -- of the group
  position INTEGER NOT NULL,
  PRIMARY KEY (topic, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
  source TEXT PRIMARY KEY,
  cursor TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE quarantine (
  id         TEXT PRIMARY KEY,
  source     TEXT NOT NULL,
  code       TEXT NOT NULL,
  reason     TEXT NOT NULL,
  locator    TEXT NOT NULL,
  at         INTEGER NOT NULL,
  raw_sha256 TEXT NOT NULL,
  state      TEXT NOT NULL,
  state_at   INTEGER NOT NULL,
  replay     TEXT NOT NULL
) STRICT;
CREATE INDEX quarantine_at ON quarantine (at, id);
CREATE INDEX quarantine_state ON quarantine (state, at, id);

CREATE TABLE blobs (
  id     INTEGER PRIMARY KEY,
  sha256 TEXT NOT NULL UNIQUE,
  bytes  BLOB NOT NULL
) STRICT;

CREATE TABLE customers (
  id          TEXT PRIMARY KEY,
  name        TEXT NOT NULL DEFAULT '',
  name_at     INTEGER NOT NULL DEFAULT -9223372036854775808,
  email       TEXT NOT NULL DEFAULT '',
  email_at    INTEGER NOT NULL DEFAULT -9223372036854775808,
  phone       TEXT NOT NULL DEFAULT '',
  phone_at    INTEGER NOT NULL DEFAULT -9223372036854775808,
  location    TEXT NOT NULL DEFAULT '',
  location_at INTEGER NOT NULL DEFAULT -9223372036854775808,
  opted_out   INTEGER NOT NULL DEFAULT 0,
  seen_at     INTEGER NOT NULL, -- first sighting
  search      TEXT NOT NULL DEFAULT '',
  digits      TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE customer_keys (
  kind        TEXT NOT NULL,
  value       TEXT NOT NULL,
  customer_id TEXT NOT NULL,
  PRIMARY KEY (kind, value)
) STRICT, WITHOUT ROWID;
CREATE INDEX customer_keys_customer ON customer_keys (customer_id, kind, value);

CREATE TABLE customer_aliases (
  id        TEXT PRIMARY KEY,
  canonical TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX customer_aliases_canonical ON customer_aliases (canonical, id);

CREATE TABLE threads (
  message_id TEXT PRIMARY KEY,
  thread_id  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE answers (
  scope       TEXT NOT NULL,
  key         TEXT NOT NULL,
  body_sha256 TEXT NOT NULL,
  status      INTEGER NOT NULL,
  response    BLOB NOT NULL,
  at          INTEGER NOT NULL,
  PRIMARY KEY (scope, key)
) STRICT;
CREATE INDEX answers_at ON answers (at);

CREATE TABLE collectors (
  name          TEXT PRIMARY KEY,
  kind          TEXT NOT NULL DEFAULT '',
  last_success  INTEGER,
  last_error    TEXT NOT NULL DEFAULT '',
  last_error_at INTEGER,
  lag_seconds   REAL,
  accepted      INTEGER NOT NULL DEFAULT 0,
  quarantined   INTEGER NOT NULL DEFAULT 0,
  quiet_after   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
