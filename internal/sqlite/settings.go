package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"redalert/alerting"
	"redalert/schemas"
)

// Settings is the alerting.SettingsStore over this file.
func (d *DB) Settings() alerting.SettingsStore { return settings{d} }

type settings struct{ d *DB }

// Load implements alerting.SettingsStore.
func (s settings) Load(ctx context.Context) (schemas.Settings, error) {
	var doc []byte
	err := s.d.read.QueryRowContext(ctx, "SELECT doc FROM settings WHERE id = 1").Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return schemas.DefaultSettings(), nil
	}
	var v schemas.Settings
	if err == nil {
		err = json.Unmarshal(doc, &v)
	}
	if err != nil {
		return v, fmt.Errorf("load settings: %w", err)
	}
	return v, nil
}

// Save implements alerting.SettingsStore.
func (s settings) Save(ctx context.Context, v schemas.Settings) error {
	doc, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("save settings: %w", err)
	}
	err = s.d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("INSERT INTO settings (id, doc) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET doc = ?1", string(doc))
		return err
	})
	if err != nil {
		return fmt.Errorf("save settings: %w", err)
	}
	return nil
}
