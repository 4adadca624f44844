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

// largeBlob is from where on bytes are looked for before they are inserted, and
// inserted one by one: a statement holds a copy of all it inserts. For smaller
// ones, most of which are new, the look would cost more than it saves.
const largeBlob = 64 << 10

// Put stores what is not there yet.
func (b blobs) Put(ctx context.Context, raws [][]byte) ([]string, error) {
	sums, fresh, err := b.d.newBlobs(ctx, raws)
	if err != nil {
		return nil, unavailable("look for blobs", err)
	}
	if len(fresh) == 0 {
		return sums, nil
	}
	return sums, unavailable("store blobs", b.d.Write(ctx, func(tx *Tx) error { return storeBlobs(tx, fresh) }))
}

// newBlobs answers the hash of each, and the rows to insert: of large ones only
// those not there yet.
func (d *DB) newBlobs(ctx context.Context, raws [][]byte) (sums []string, fresh [][]any, err error) {
	if len(raws) == 0 {
		return nil, nil, nil
	}
	sums = make([]string, len(raws))
	var large []string
	for i, raw := range raws {
		sum := sha256.Sum256(raw)
		sums[i] = hex.EncodeToString(sum[:])
		if len(raw) > largeBlob {
			large = append(large, sums[i])
		}
	}
	have, err := d.knownBlobs(ctx, large)
	if err != nil {
		return nil, nil, err
	}
	for i, sum := range sums {
		if have[sum] {
			continue
		}
		have[sum] = true
		raw := raws[i]
		if raw == nil {
			raw = []byte{} // NULL otherwise
		}
		fresh = append(fresh, []any{sum, raw})
	}
	return sums, fresh, nil
}

func (d *DB) knownBlobs(ctx context.Context, sums []string) (map[string]bool, error) {
	have := map[string]bool{}
	if len(sums) == 0 {
		return have, nil
	}
	rows, err := d.query(ctx, "SELECT sha256 FROM blobs WHERE sha256 IN (SELECT value FROM json_each(?))", idList(sums))
	return have, each(rows, err, func(r *sql.Rows) error {
		var sum string
		err := r.Scan(&sum)
		have[sum] = true
		return err
	})
}

func storeBlobs(tx *Tx, rows [][]any) error {
	const head, tail = "INSERT INTO blobs (sha256, bytes)", "ON CONFLICT DO NOTHING"
	var small [][]any
	for _, row := range rows {
		if len(row[1].([]byte)) <= largeBlob {
			small = append(small, row)
		} else if err := insertRows(tx, head, tail, [][]any{row}); err != nil {
			return err
		}
	}
	return insertRows(tx, head, tail, small)
}

func (b blobs) Get(ctx context.Context, sum string) (raw []byte, err error) {
	err = b.d.read.QueryRowContext(ctx, "SELECT bytes FROM blobs WHERE sha256 = ?", sum).Scan(&raw)
	if errors.Is(err, sql.ErrNoRows) {
		err = ingest.ErrNotFound
	}
	return raw, unavailable("blob "+sum, err)
}
