package schemas

import "embed"

// SQLite holds the migrations of the embedded store: sql/sqlite/NNNN_name.sql,
// append-only, applied in order of NNNN.
//
//go:embed sql/sqlite/*.sql
var SQLite embed.FS
