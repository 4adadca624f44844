package schemas

import "embed"

// SQLite holds the migrations of the embedded store: sql/sqlite/NNNN_name.sql,
// append-only, applied in order of NNNN.
//
//go:embed sql/sqlite/*.sql
var SQLite embed.FS

// ClickHouse holds the migrations of the history of a scaled deployment:
// sql/clickhouse/NNNN_name.sql, append-only, applied in order of NNNN. Each
// statement ends with a semicolon at the end of a line and may run twice.
//
//go:embed sql/clickhouse/*.sql
var ClickHouse embed.FS

// Postgres holds the migrations of the scaled store's PostgreSQL, as SQLite.
//
//go:embed sql/postgres/*.sql
var Postgres embed.FS
