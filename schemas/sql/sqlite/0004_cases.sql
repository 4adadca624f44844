-- Cases with their audit, the alerts that reached alerting, the outbox, the
-- clock's jobs and the owners' settings. All times are Unix milliseconds; a
-- case is its JSON document beside the columns that queries need.
CREATE TABLE cases (
  id            TEXT PRIMARY KEY,
  number        INTEGER NOT NULL UNIQUE,
  key           TEXT NOT NULL,
  customer_id   TEXT NOT NULL,
  state         TEXT NOT NULL,
  open          INTEGER NOT NULL,
  priority      INTEGER NOT NULL,  -- rank, 1 low … 4 urgent
  version       INTEGER NOT NULL,
  location      TEXT NOT NULL,
  source_type   TEXT NOT NULL,
  assignee      TEXT NOT NULL,
  value         INTEGER NOT NULL,  -- at risk, minor units
  currency      TEXT NOT NULL,
  excerpt       TEXT NOT NULL,     -- lower case, for search
  opened_at     INTEGER NOT NULL,
  due           INTEGER,           -- earliest running deadline
  next_miss     INTEGER,           -- earliest running deadline not yet counted as missed
  snoozed_until INTEGER,
  merged_into   TEXT NOT NULL,
  doc           TEXT NOT NULL
) STRICT;

-- One open case per customer or thread.
CREATE UNIQUE INDEX cases_one_open ON cases (key) WHERE open = 1 AND merged_into = '';
CREATE INDEX cases_key ON cases (key);
CREATE INDEX cases_customer ON cases (customer_id);
CREATE INDEX cases_opened ON cases (opened_at, id);
CREATE INDEX cases_queue ON cases (state, merged_into);
CREATE INDEX cases_next_miss ON cases (next_miss) WHERE next_miss IS NOT NULL;
CREATE INDEX cases_snoozed ON cases (snoozed_until) WHERE snoozed_until IS NOT NULL;

CREATE TABLE case_events (
  case_id  TEXT NOT NULL REFERENCES cases (id),
  seq      INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  event_id TEXT NOT NULL,
  doc      TEXT NOT NULL,
  PRIMARY KEY (case_id, seq)
) STRICT, WITHOUT ROWID;

-- An event stands on exactly one row.
CREATE UNIQUE INDEX case_events_event ON case_events (event_id) WHERE event_id <> '';
CREATE INDEX case_events_at ON case_events (at, case_id, seq);

CREATE TABLE case_alerts (
  event_id    TEXT PRIMARY KEY,
  case_id     TEXT,               -- null: too old for a case
  raised_at   INTEGER NOT NULL,
  opened_case INTEGER NOT NULL,
  order_ref   TEXT NOT NULL       -- lower case, for search
) STRICT, WITHOUT ROWID;
CREATE INDEX case_alerts_case ON case_alerts (case_id);
CREATE INDEX case_alerts_raised ON case_alerts (raised_at, event_id);
CREATE INDEX case_alerts_order ON case_alerts (order_ref) WHERE order_ref <> '';

CREATE TABLE notifications (
  id          TEXT PRIMARY KEY,
  case_id     TEXT NOT NULL,      -- '' for digests
  episode     INTEGER NOT NULL,
  kind        TEXT NOT NULL,
  cause       TEXT NOT NULL,
  recipient   TEXT NOT NULL,
  channel     TEXT NOT NULL,
  message_id  TEXT NOT NULL,
  state       TEXT NOT NULL,
  to_customer INTEGER NOT NULL,
  attempts    INTEGER NOT NULL,
  at          INTEGER NOT NULL,
  not_before  INTEGER NOT NULL,
  lease_until INTEGER NOT NULL DEFAULT 0,
  error       TEXT NOT NULL,
  event_id    TEXT NOT NULL,
  body        BLOB,
  UNIQUE (case_id, episode, kind, cause, recipient, channel)
) STRICT;
CREATE INDEX notifications_waiting ON notifications (not_before) WHERE state IN ('queued', 'sending');
CREATE INDEX notifications_case ON notifications (case_id, at, id);
CREATE INDEX notifications_at ON notifications (at, id);

CREATE TABLE clock_jobs (
  job         TEXT NOT NULL,
  key         TEXT NOT NULL,
  lease_until INTEGER NOT NULL,
  done_at     INTEGER,
  PRIMARY KEY (job, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
  id  INTEGER PRIMARY KEY CHECK (id = 1),
  doc TEXT NOT NULL
) STRICT;
