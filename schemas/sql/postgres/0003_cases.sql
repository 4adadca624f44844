-- Cases with their audit, the alerts that reached alerting, the outbox, the
-- clock's jobs and the owners' settings. A case is its JSON document beside
-- the columns that queries need.
CREATE TABLE cases (
  id            text COLLATE "C" PRIMARY KEY,
  number        bigint NOT NULL UNIQUE,
  key           text COLLATE "C" NOT NULL,
  customer_id   text COLLATE "C" NOT NULL,
  state         text COLLATE "C" NOT NULL,
  open          boolean NOT NULL,
  priority      bigint NOT NULL,  -- rank, 1 low … 4 urgent
  version       bigint NOT NULL,
  location      text COLLATE "C" NOT NULL,
  source_type   text COLLATE "C" NOT NULL,
  assignee      text COLLATE "C" NOT NULL,
  value         bigint NOT NULL,  -- at risk, minor units
  currency      text COLLATE "C" NOT NULL,
  excerpt       text COLLATE "C" NOT NULL, -- lower case, for search
  opened_at     bigint NOT NULL,
  due           bigint,           -- earliest running deadline
  next_miss     bigint,           -- earliest running deadline not yet counted as missed
  snoozed_until bigint,
  merged_into   text COLLATE "C" NOT NULL,
  doc           text COLLATE "C" NOT NULL
);

-- One open case per customer or thread.
CREATE UNIQUE INDEX cases_one_open ON cases (key) WHERE open AND merged_into = '';
CREATE INDEX cases_key ON cases (key);
CREATE INDEX cases_customer ON cases (customer_id);
CREATE INDEX cases_opened ON cases (opened_at, id);
CREATE INDEX cases_queue ON cases (state, merged_into);
CREATE INDEX cases_next_miss ON cases (next_miss) WHERE next_miss IS NOT NULL;
CREATE INDEX cases_snoozed ON cases (snoozed_until) WHERE snoozed_until IS NOT NULL;

CREATE TABLE case_events (
  case_id  text COLLATE "C" NOT NULL REFERENCES cases (id),
  seq      bigint NOT NULL,
  at       bigint NOT NULL,
  event_id text COLLATE "C" NOT NULL,
  doc      text COLLATE "C" NOT NULL,
  PRIMARY KEY (case_id, seq)
);

-- An event stands on exactly one row.
CREATE UNIQUE INDEX case_events_event ON case_events (event_id) WHERE event_id <> '';
CREATE INDEX case_events_at ON case_events (at, case_id, seq);

CREATE TABLE case_alerts (
  event_id    text COLLATE "C" PRIMARY KEY,
  case_id     text COLLATE "C",            -- null: too old for a case
  raised_at   bigint NOT NULL,
  opened_case boolean NOT NULL,
  order_ref   text COLLATE "C" NOT NULL    -- lower case, for search
);
CREATE INDEX case_alerts_case ON case_alerts (case_id);
CREATE INDEX case_alerts_raised ON case_alerts (raised_at, event_id);
CREATE INDEX case_alerts_order ON case_alerts (order_ref) WHERE order_ref <> '';

CREATE TABLE notifications (
  id          text COLLATE "C" PRIMARY KEY,
  case_id     text COLLATE "C" NOT NULL,   -- '' for digests
  episode     bigint NOT NULL,
  kind        text COLLATE "C" NOT NULL,
  cause       text COLLATE "C" NOT NULL,
  recipient   text COLLATE "C" NOT NULL,
  channel     text COLLATE "C" NOT NULL,
  message_id  text COLLATE "C" NOT NULL,
  state       text COLLATE "C" NOT NULL,
  to_customer boolean NOT NULL,
  attempts    bigint NOT NULL,
  at          bigint NOT NULL,
  not_before  bigint NOT NULL,
  lease_until bigint NOT NULL DEFAULT 0,
  error       text COLLATE "C" NOT NULL,
  event_id    text COLLATE "C" NOT NULL,
  body        bytea,
  UNIQUE (case_id, episode, kind, cause, recipient, channel)
);
CREATE INDEX notifications_waiting ON notifications (not_before, id) WHERE state IN ('queued', 'sending');
CREATE INDEX notifications_case ON notifications (case_id, at, id);
CREATE INDEX notifications_at ON notifications (at, id);

CREATE TABLE clock_jobs (
  job         text COLLATE "C" NOT NULL,
  key         text COLLATE "C" NOT NULL,
  lease_until bigint NOT NULL,
  done_at     bigint,
  PRIMARY KEY (job, key)
);

CREATE TABLE settings (
  id  bigint PRIMARY KEY CHECK (id = 1),
  doc text COLLATE "C" NOT NULL
);
