-- Fits of churn_risk are called what they are. A few files were made while step
-- 6 said so already, and SQLite renames only what is there: so it is copied.
CREATE TABLE IF NOT EXISTS learned (
  name TEXT PRIMARY KEY,
  at   INTEGER NOT NULL,
  doc  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fits (
  name TEXT PRIMARY KEY,
  at   INTEGER NOT NULL,
  doc  TEXT NOT NULL -- JSON
) STRICT, WITHOUT ROWID;
INSERT INTO fits (name, at, doc) SELECT name, at, doc FROM learned;
DROP TABLE learned;
