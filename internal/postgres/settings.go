package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"redalert/alerting"
	"redalert/schemas"
)

// Settings is the alerting.SettingsStore over this database.
func (d *DB) Settings() alerting.SettingsStore { return settings{d} }

type settings struct{ d *DB }

// Load implements alerting.SettingsStore.
func (s settings) Load(ctx context.Context) (schemas.Settings, error) {
	v, err := first(ctx, s.d, pgx.ErrNoRows, scanDoc[schemas.Settings], "SELECT doc FROM settings WHERE id = 1")
	if errors.Is(err, pgx.ErrNoRows) {
		return schemas.DefaultSettings(), nil
	}
	return v, unavailable("load settings", err)
}

// Save implements alerting.SettingsStore.
func (s settings) Save(ctx context.Context, v schemas.Settings) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("save settings: %w", err)
	}
	_, err = s.d.exec(ctx, "INSERT INTO settings (id, doc) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET doc = excluded.doc", string(doc))
	return unavailable("save settings", err)
}
