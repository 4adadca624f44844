-- What was given as a tip, for orders that say so. The projection is made anew:
-- one of before does not hold the column, and is of no use to a query that asks
-- for it. Each statement may run twice.
ALTER TABLE order_events ADD COLUMN IF NOT EXISTS tip Nullable(Int64);
ALTER TABLE order_events DROP PROJECTION IF EXISTS by_customer;
ALTER TABLE order_events ADD PROJECTION IF NOT EXISTS by_customer (SELECT * ORDER BY customer_id);
ALTER TABLE order_events MATERIALIZE PROJECTION by_customer;
