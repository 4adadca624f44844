-- The fence of a move: while this database is being filled, or after everything
-- has left it, triggers that call this function stand on every table of the
-- state (redalert move puts them up and takes them down) and refuse the writes
-- of every process but the move's own. Class 57, operator intervention: what
-- is refused may come again.
CREATE FUNCTION refuse_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF coalesce(current_setting('redalert.move', true), '') <> 'on' THEN
    RAISE EXCEPTION 'this database is not in use: a move is under way, or it was moved to a file (redalert move)' USING ERRCODE = '57000';
  END IF;
  RETURN NULL;
END $$;
