-- An Idempotency-Key is claimed before the events of its request are taken in.
-- A row without an answer yet has the status 0; its key is worked on by holder,
-- or by nobody once lease_until has passed.
ALTER TABLE answers ADD COLUMN holder text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE answers ADD COLUMN lease_until bigint NOT NULL DEFAULT 0;
