-- A copy of the customers store's alias table, for queries that map customer
-- ids. The highest version of an id stands. Whoever writes rows up to a version
-- has found or written all below it.
CREATE TABLE IF NOT EXISTS aliases (
  id        String,
  canonical String,
  version   Int64
) ENGINE = ReplacingMergeTree(version)
ORDER BY id
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
