-- What staff decided about events, the layers fitted from that, and which of
-- them scores from when on (the last row counts; all together are the audit).
CREATE TABLE marks (
  event_id text COLLATE "C" PRIMARY KEY,
  at       bigint NOT NULL, -- Unix milliseconds
  doc      text COLLATE "C" NOT NULL
);
CREATE INDEX marks_at ON marks (at, event_id);

CREATE TABLE layers (
  number bigint PRIMARY KEY,
  doc    text COLLATE "C" NOT NULL
);

CREATE TABLE layer_uses (
  seq bigint PRIMARY KEY,
  doc text COLLATE "C" NOT NULL
);
