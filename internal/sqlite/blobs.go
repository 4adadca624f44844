package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"

	"redalert/ingest"
)

// Blobs is where raw bytes are kept, by content.
func (d *DB) Blobs() ingest.Blobs { return blobs{d} }

type blobs struct{ d *DB }

// Put stores what is not there yet; bytes known already cost a read only.
func (b blobs) Put(ctx context.Context, raws [][]byte) ([]string, error) {
	sums := make([]string, len(raws))
	for i, raw := range raws {
		sum := sha256.Sum256(raw)
		sums[i] = hex.EncodeToString(sum[:])
	}
	have := map[string]bool{}
	rows, err := b.d.read.QueryContext(ctx, "SELECT sha256 FROM blobs WHERE sha256 IN (SELECT value FROM json_each(?))", idList(sums))
	if err := each(rows, err, func(r *sql.Rows) error {
		var sum string
		err := r.Scan(&sum)
		have[sum] = true
		return err
	}); err != nil {
		return nil, unavailable("look for blobs", err)
	}
	var fresh []int
	for i, sum := range sums {
		if !have[sum] {
			have[sum] = true
			fresh = append(fresh, i)
		}
	}
	if len(fresh) == 0 {
		return sums, nil
	}
	return sums, unavailable("store blobs", b.d.Write(ctx, func(tx *Tx) error {
		for _, i := range fresh {
			raw := raws[i]
			if raw == nil {
				raw = []byte{}
			}
			if _, err := tx.Exec("INSERT INTO blobs (sha256, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING", sums[i], raw); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (b blobs) Get(ctx context.Context, sum string) (raw []byte, err error) {
	err = b.d.read.QueryRowContext(ctx, "SELECT bytes FROM blobs WHERE sha256 = ?", sum).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		err = ingest.ErrNotFound
	}
	return raw, unavailable("blob "+sum, err)
}
