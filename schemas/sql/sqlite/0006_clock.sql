-- What the clock looks through every hour: mail and our answers to it.
CREATE INDEX events_words ON events (type, collected_at, event_id) WHERE type IN ('feedback.email.received', 'reply.sent');

-- What was learnt from this business's own past, such as a fit of churn_risk.
CREATE TABLE learned (
  name TEXT PRIMARY KEY,
  at   INTEGER NOT NULL,
  doc  TEXT NOT NULL -- JSON
) STRICT, WITHOUT ROWID;

-- What was given as a tip, for orders that say so.
ALTER TABLE order_events ADD COLUMN tip INTEGER; -- NULL = not stated
