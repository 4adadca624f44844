-- Users, sessions and tokens. Secrets are stored hashed only.
CREATE TABLE users (
  email         text COLLATE "C" PRIMARY KEY, -- lower case
  name          text COLLATE "C" NOT NULL,
  role          text COLLATE "C" NOT NULL,
  locations     text[] COLLATE "C" NOT NULL,  -- empty = all
  timezone      text COLLATE "C" NOT NULL,
  password_hash text COLLATE "C" NOT NULL,
  disabled      boolean NOT NULL,
  created_at    bigint NOT NULL
);

CREATE TABLE sessions (
  hash       text COLLATE "C" PRIMARY KEY,
  email      text COLLATE "C" NOT NULL,
  purpose    text COLLATE "C" NOT NULL,       -- '' = a browser session
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX sessions_email ON sessions (email);
CREATE INDEX sessions_expires ON sessions (expires_at);

-- A revoked name may be used again, so the name is unique among live tokens only.
CREATE TABLE tokens (
  hash       text COLLATE "C" PRIMARY KEY,
  name       text COLLATE "C" NOT NULL,
  scope      text COLLATE "C" NOT NULL,
  source     text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  revoked_at bigint
);
CREATE UNIQUE INDEX tokens_live_name ON tokens (name) WHERE revoked_at IS NULL;
