-- What was learnt from this business's own past, such as a fit of churn_risk.
CREATE TABLE learned (
  name text COLLATE "C" PRIMARY KEY,
  at   bigint NOT NULL,
  doc  text COLLATE "C" NOT NULL -- JSON
);
