-- What the doors need beside the log: receipts, cursors, quarantine, blobs,
-- customers, threads, answers, collectors.
--
-- Times are bigint milliseconds since 1970 in UTC, as in every store of ours,
-- so that cursors and orders agree. Text sorts and compares by its bytes
-- (COLLATE "C"), as in Go and in SQLite. Text cannot hold U+0000 here: the
-- adapter writes it, and bytes that are no UTF-8, as U+0001 and a sign.

-- Which events were ever accepted. Rows are never changed.
CREATE TABLE receipts (
  event_id text COLLATE "C" PRIMARY KEY,
  hash     text COLLATE "C" NOT NULL
);

-- Events reserved and not yet known to be published; small, and empty while
-- all goes well.
CREATE TABLE receipts_pending (
  seq         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id    text COLLATE "C" NOT NULL UNIQUE REFERENCES receipts (event_id),
  reserved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  event       bytea NOT NULL -- CloudEvents JSON
);

CREATE TABLE cursors (
  source text COLLATE "C" PRIMARY KEY,
  cursor text COLLATE "C" NOT NULL
);

CREATE TABLE quarantine (
  id         text COLLATE "C" PRIMARY KEY,
  source     text COLLATE "C" NOT NULL,
  code       text COLLATE "C" NOT NULL,
  reason     text COLLATE "C" NOT NULL,
  locator    text COLLATE "C" NOT NULL,
  at         bigint NOT NULL,
  raw_sha256 text COLLATE "C" NOT NULL,
  state      text COLLATE "C" NOT NULL,
  state_at   bigint NOT NULL,
  replay     text COLLATE "C" NOT NULL
);
CREATE INDEX quarantine_at ON quarantine (at, id);
CREATE INDEX quarantine_state ON quarantine (state, at, id);

CREATE TABLE blobs (
  sha256 bytea PRIMARY KEY,
  bytes  bytea NOT NULL
);

-- One row a person, id = canonical customer id; name, email and phone as last
-- written by the sender. search = lower-cased name, e-mail and refs, one blank
-- between; digits = the digits of the phone. Only canonical rows stand here.
CREATE TABLE customers (
  id          text COLLATE "C" PRIMARY KEY,
  name        text COLLATE "C" NOT NULL,
  name_at     bigint NOT NULL,
  email       text COLLATE "C" NOT NULL,
  email_at    bigint NOT NULL,
  phone       text COLLATE "C" NOT NULL,
  phone_at    bigint NOT NULL,
  location    text COLLATE "C" NOT NULL,
  location_at bigint NOT NULL,
  opted_out   boolean NOT NULL,
  seen_at     bigint NOT NULL, -- first sighting
  search      text COLLATE "C" NOT NULL,
  digits      text COLLATE "C" NOT NULL
);

-- Every reference ever seen, normalised → canonical customer id.
CREATE TABLE customer_keys (
  kind        text COLLATE "C" NOT NULL, -- ref | email | phone
  value       text COLLATE "C" NOT NULL,
  customer_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (kind, value)
);
CREATE INDEX customer_keys_customer ON customer_keys (customer_id, kind, value);

-- Ids given out before two rows turned out to be one person: id → canonical,
-- never chained. version rises with every change, and is given out and
-- committed under one lock: who has read up to one has missed none before it.
CREATE TABLE customer_aliases (
  id        text COLLATE "C" PRIMARY KEY,
  canonical text COLLATE "C" NOT NULL,
  version   bigint NOT NULL
);
CREATE INDEX customer_aliases_canonical ON customer_aliases (canonical, id);
CREATE INDEX customer_aliases_version ON customer_aliases (version, id);

CREATE TABLE threads (
  message_id text COLLATE "C" PRIMARY KEY,
  thread_id  text COLLATE "C" NOT NULL
);

CREATE TABLE answers (
  scope       text COLLATE "C" NOT NULL,
  key         text COLLATE "C" NOT NULL,
  body_sha256 text COLLATE "C" NOT NULL,
  status      bigint NOT NULL,
  response    bytea NOT NULL,
  at          bigint NOT NULL,
  PRIMARY KEY (scope, key)
);
CREATE INDEX answers_at ON answers (at);

CREATE TABLE collectors (
  name          text COLLATE "C" PRIMARY KEY,
  kind          text COLLATE "C" NOT NULL,
  last_success  bigint,
  last_error    text COLLATE "C" NOT NULL,
  last_error_at bigint,
  lag_seconds   double precision,
  accepted      bigint NOT NULL,
  quarantined   bigint NOT NULL,
  quiet_after   bigint NOT NULL
);
