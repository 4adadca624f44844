-- version follows the moment of the insert instead of scored_at: of two verdicts
-- the one stored first stands, whichever was scored first. Parts may merge at any
-- time, also between the insert of a scorer and its look for rivals; were the
-- later row to outlive the earlier, whose scorer has answered, the later scorer
-- would find no rival and answer otherwise. Nanoseconds, inverted, rank below the
-- milliseconds of rows that stand already, so these keep standing.
ALTER TABLE events MODIFY COLUMN version UInt128 MATERIALIZED bitShiftLeft(toUInt128(rescore), 112) + bitShiftLeft(toUInt128(settled), 104)
  + bitShiftLeft(toUInt128(9223372036854775807 - toUnixTimestamp64Nano(now64(9))), 40) + bitAnd(sipHash64(verdict), 1099511627775);
