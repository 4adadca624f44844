-- What staff decided about events, the layers fitted from that, and which of
-- them scores from when on (the last row counts; all together are the audit).
CREATE TABLE marks (
  event_id TEXT PRIMARY KEY,
  at       INTEGER NOT NULL, -- Unix milliseconds
  doc      TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX marks_at ON marks (at, event_id);

CREATE TABLE layers (
  number INTEGER PRIMARY KEY,
  doc    TEXT NOT NULL
) STRICT;

CREATE TABLE layer_uses (
  seq INTEGER PRIMARY KEY,
  doc TEXT NOT NULL
) STRICT;

-- How often redalert rescore has put another verdict in the place of the first.
ALTER TABLE verdicts ADD COLUMN rescore INTEGER NOT NULL DEFAULT 0;
