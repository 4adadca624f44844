package schemas

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Migration is one step of a store's schema: a file sql/STORE/NNNN_name.sql.
type Migration struct {
	Version int    // NNNN, from 1 without a gap
	Name    string // of the file
	SQL     string
}

// Migrations reads the steps of one store out of SQLite, Postgres or ClickHouse,
// in order. A gap in the numbers is an error.
func Migrations(files fs.FS, store string) ([]Migration, error) {
	names, err := fs.Glob(files, "sql/"+store+"/*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var ms []Migration
	for _, n := range names {
		num, _, ok := strings.Cut(path.Base(n), "_")
		v, err := strconv.Atoi(num)
		if !ok || err != nil || v != len(ms)+1 {
			return nil, fmt.Errorf("migration %s: want number %04d", n, len(ms)+1)
		}
		b, err := fs.ReadFile(files, n)
		if err != nil {
			return nil, err
		}
		ms = append(ms, Migration{Version: v, Name: path.Base(n), SQL: string(b)})
	}
	return ms, nil
}
