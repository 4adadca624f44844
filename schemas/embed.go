package schemas

import "embed"

// SQLite holds the migrations of the embedded store: sql/sqlite/NNNN_name.sql,
// append-only, applied in order of NNNN.
//
//go:embed sql/sqlite/*.sql
var SQLite embed.FS

// Postgres holds the migrations of the scaled store's PostgreSQL, as SQLite.
//
//go:embed sql/postgres/*.sql
var Postgres embed.FS
