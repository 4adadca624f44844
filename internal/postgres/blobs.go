package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"redalert/ingest"
)

// Blobs is where raw bytes are kept, by content.
func (d *DB) Blobs() ingest.Blobs { return blobs{d} }

type blobs struct{ d *DB }

const (
	// lookFirst is from how many bytes on Put asks which are known before it
	// sends any: a mail with attachments is not sent twice.
	lookFirst = 64 << 10
	// putAtOnce bounds the bytes of one statement, which the server holds as
	// a whole.
	putAtOnce = 8 << 20
)

// Put stores what is not there yet. Not everything need be stored when it
// fails; what is, is right.
func (b blobs) Put(ctx context.Context, raws [][]byte) ([]string, error) {
	if len(raws) == 0 {
		return nil, nil
	}
	sums := make([]string, len(raws))
	fresh := map[[sha256.Size]byte][]byte{}
	size := 0
	for i, raw := range raws {
		sum := sha256.Sum256(raw)
		sums[i] = hex.EncodeToString(sum[:])
		fresh[sum] = raw
		size += len(raw)
	}
	if size > lookFirst {
		if err := b.forgetKnown(ctx, fresh); err != nil {
			return nil, unavailable("look for blobs", err)
		}
	}
	if err := b.store(ctx, fresh); err != nil {
		return nil, unavailable("store blobs", err)
	}
	return sums, nil
}

func (b blobs) forgetKnown(ctx context.Context, fresh map[[sha256.Size]byte][]byte) error {
	var asked [][]byte
	for sum := range fresh {
		asked = append(asked, sum[:])
	}
	known, err := query(ctx, b.d, value[[]byte], "SELECT sha256 FROM blobs WHERE sha256 = ANY($1)", asked)
	for _, sum := range known {
		delete(fresh, [sha256.Size]byte(sum))
	}
	return err
}

// store inserts in order of the sums, so that two calls with the same bytes
// wait for each other in one order.
func (b blobs) store(ctx context.Context, fresh map[[sha256.Size]byte][]byte) error {
	var order [][]byte
	for sum := range fresh {
		order = append(order, sum[:])
	}
	slices.SortFunc(order, bytes.Compare)
	for len(order) > 0 {
		var raws [][]byte
		size := 0
		for len(raws) < len(order) && (size == 0 || size < putAtOnce) {
			raw := fresh[[sha256.Size]byte(order[len(raws)])]
			if raw == nil {
				raw = []byte{} // NULL otherwise
			}
			raws = append(raws, raw)
			size += len(raw)
		}
		if _, err := b.d.exec(ctx, "INSERT INTO blobs (sha256, bytes) SELECT * FROM unnest($1::bytea[], $2::bytea[]) ON CONFLICT DO NOTHING",
			order[:len(raws)], raws); err != nil {
			return err
		}
		order = order[len(raws):]
	}
	return nil
}

func (b blobs) Get(ctx context.Context, sum string) ([]byte, error) {
	key, err := hex.DecodeString(sum)
	if err != nil {
		return nil, unavailable("blob "+sum, ingest.ErrNotFound)
	}
	raw, err := first(ctx, b.d, ingest.ErrNotFound, value[[]byte], "SELECT bytes FROM blobs WHERE sha256 = $1", key)
	return raw, unavailable("blob "+sum, err)
}
