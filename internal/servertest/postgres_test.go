package servertest

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestPostgresSurvivesAKill: what was committed is there after SIGKILL and a
// start on the same data and port.
func TestPostgresSurvivesAKill(t *testing.T) {
	s := OwnPostgres(t)
	template := s.Template(t, "one table", func(url string) error {
		c, err := pgx.Connect(t.Context(), url)
		if err != nil {
			return err
		}
		defer c.Close(t.Context())
		_, err = c.Exec(t.Context(), "CREATE TABLE n (n bigint); INSERT INTO n VALUES (7)")
		return err
	})
	url := s.Database(t, template)
	s.Kill(t)
	if _, err := pgx.Connect(t.Context(), url); err == nil {
		t.Fatal("a killed server answers")
	}
	s.Start(t)
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	var n int
	if err := c.QueryRow(t.Context(), "SELECT n FROM n").Scan(&n); err != nil || n != 7 {
		t.Fatalf("%d, %v", n, err)
	}
}
