-- Fits of churn_risk are called what they are. A few databases were made while
-- step 6 said so already.
ALTER TABLE IF EXISTS learned RENAME TO fits;
ALTER INDEX IF EXISTS learned_pkey RENAME TO fits_pkey;
