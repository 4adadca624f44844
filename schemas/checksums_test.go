package schemas

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"testing"
)

// shipped holds the SHA-256 of every step of a schema. NEVER EDIT a step, not
// its comments and not its name, and never change a line here: stores out there
// have taken it, take no step twice, and would be left with other tables than
// the program looks for. To change a schema ADD A STEP, a new file with the next
// number, and its line at the end of its store's.
var shipped = map[string]string{
	"sql/clickhouse/0001_events.sql":              "76eba332ad7c93244c5e3397d831643bac3922b9c8704d0d0879daaafce00cdf",
	"sql/clickhouse/0002_orders.sql":              "e801424f4890715515bbe86e1364d706cd6dc833eb7682caaf4d691df806c418",
	"sql/clickhouse/0003_aliases.sql":             "c881ed6b3b9216baabad4d1bb82ff301a8187ce35edcba7b2234468f41acbfd1",
	"sql/clickhouse/0004_claims.sql":              "c2377a63b72d71f43ad56f7fb91678bbea4e986d06b88e1e3865f134c2dbaa71",
	"sql/clickhouse/0005_first_stored_stands.sql": "5d1d078e3a777c8e5c7035cd6e1abd9f52d15aa9b2952a88f2a73c5e33a83f74",
	"sql/clickhouse/0006_tips.sql":                "3df849cc1a7abff9d11f382ce348746417bcdce5e171dddaf606469d52aec102",
	"sql/postgres/0001_meta.sql":                  "d875812c19f737a100047a7fbc180052ace371baeb0cdaa80af1efd8b6d72161",
	"sql/postgres/0002_doors.sql":                 "86cdffbf372da3421555e384825ada5a66b382f03d1c24894594a92764677d46",
	"sql/postgres/0003_cases.sql":                 "e8357fa79018dbf09f2fb5680ebdcb62b50e3db9c7c51dd14abf1e8cee2ec9de",
	"sql/postgres/0004_auth.sql":                  "2bce30117d4519506325834ac877c7c7865f71ca8a985642a7aa335c2f0a3818",
	"sql/postgres/0005_move.sql":                  "a866309ddcfc18521efc467e63c3ea5c5555236dbdf4641fb6a80172b3138ebf",
	"sql/postgres/0006_learned.sql":               "bfacd91ef833129df61fe775855ccfb65dc204e4818e6cc90fcb3d9a57d03d3e",
	"sql/postgres/0007_learn.sql":                 "720803f86a5ad7e8931c2a18ea456f3f2bce0d902dc69a29033b0650c7ad4d66",
	"sql/postgres/0008_fits.sql":                  "b2a7572411c7d5576706d0e557edd13b84829abcf517a6ad21937b76a86a3a86",
	"sql/postgres/0009_claims.sql":                "fc1f607d7a1f46671ef77346252ab57b5934e884e662bdc5a0e0d7ada84852f3",
	"sql/sqlite/0001_meta.sql":                    "5937acc603bb70250e299d32418dd234736658884c9fb1c83da21ffbb875a3cc",
	"sql/sqlite/0002_ingest.sql":                  "7f9625aee4360c22cbc480af0d31ab8993c9a0d6673938fde7a9b858c41f7e53",
	"sql/sqlite/0003_history.sql":                 "bcaf6e723a2dc3e11b665f0aa53f77bf57c7d71c02beb8ee4f92b329dea67926",
	"sql/sqlite/0004_cases.sql":                   "0f9416a42ab516d05a9456c63e7d40d31bc1a912fc55d28e5601faa156e441e2",
	"sql/sqlite/0005_auth.sql":                    "f4c24e42169da5f5ecd98687f37c918f6cf7ec2389c1d35778ff0c7d19746227",
	"sql/sqlite/0006_clock.sql":                   "f5dd258873ba85d334fd4b8fd927f2d18f3fce1a996cb18c628101d9b22c581f",
	"sql/sqlite/0007_learn.sql":                   "2d896692d6e4c79befdf40d20fd8a396a643082a9ea3d9acce891b83e6c4b8eb",
	"sql/sqlite/0008_fits.sql":                    "f9fc2a2cf1b5426c67862f9d220bccf551203d70ff7db866e0f7b11e1ef1a31a",
	"sql/sqlite/0009_claims.sql":                  "61f198db3a5e66393cbd45159850fd470fd0ee78c46a176845c9e51a62c8d41b",
}

// TestShippedStepsNeverChange: what stores have been migrated with stays as it
// was.
func TestShippedStepsNeverChange(t *testing.T) {
	seen := map[string]bool{}
	for store, files := range map[string]fs.FS{"sqlite": SQLite, "postgres": Postgres, "clickhouse": ClickHouse} {
		ms, err := Migrations(files, store)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			name := "sql/" + store + "/" + m.Name
			sum := sha256.Sum256([]byte(m.SQL))
			got := hex.EncodeToString(sum[:])
			switch want, ok := shipped[name]; {
			case !ok:
				t.Errorf("%s is not in the list of shipped steps: if it is new, add %q: %q; if it was renamed, give it its name back", name, name, got)
			case got != want:
				t.Errorf("%s was changed after it shipped: stores that have taken this step would miss the change. Undo it, and add a step with the next number instead", name)
			}
			seen[name] = true
		}
	}
	for name := range shipped {
		if !seen[name] {
			t.Errorf("%s is gone: steps are never removed or renamed", name)
		}
	}
}
