package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"redalert/alerting"
	"redalert/internal/auth"
)

// Users is the auth.Users over this file.
func (d *DB) Users() auth.Users { return users{d} }

// People is the alerting.People over this file: the enabled users.
func (d *DB) People() alerting.People { return users{d} }

type users struct{ d *DB }

const selectUsers = "SELECT email, name, role, locations, timezone, password_hash, disabled, created_at FROM users"

func scanUser(scan func(...any) error) (auth.User, error) {
	var u auth.User
	var locations []byte
	var created int64
	if err := scan(&u.Email, &u.Name, &u.Role, &locations, &u.Timezone, &u.PasswordHash, &u.Disabled, &created); err != nil {
		return u, err
	}
	u.CreatedAt = fromMS(created)
	return u, json.Unmarshal(locations, &u.Locations)
}

// CreateUser implements auth.Users.
func (s users) CreateUser(ctx context.Context, u auth.User) error {
	return s.d.Write(ctx, func(tx *Tx) error {
		res, err := tx.Exec(`INSERT INTO users (email, name, role, locations, timezone, password_hash, disabled, created_at)
		  VALUES (?,?,?,?,?,?,?,?) ON CONFLICT (email) DO NOTHING`, u.Email, u.Name, string(u.Role), jsonList(u.Locations),
			u.Timezone, u.PasswordHash, u.Disabled, ms(u.CreatedAt))
		return oneRow(res, err, auth.ErrExists)
	})
}

// oneRow answers none when a statement changed no row.
func oneRow(res sql.Result, err, none error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return none
	}
	return err
}

// User implements auth.Users.
func (s users) User(ctx context.Context, email string) (auth.User, error) {
	u, err := scanUser(s.d.read.QueryRowContext(ctx, selectUsers+" WHERE email = ?", email).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return u, auth.ErrNotFound
	}
	return u, err
}

// UpdateUser implements auth.Users.
func (s users) UpdateUser(ctx context.Context, u auth.User) error {
	return s.d.Write(ctx, func(tx *Tx) error {
		res, err := tx.Exec(`UPDATE users SET name = ?, role = ?, locations = ?, timezone = ?, password_hash = ?, disabled = ?
		  WHERE email = ?`, u.Name, string(u.Role), jsonList(u.Locations), u.Timezone, u.PasswordHash, u.Disabled, u.Email)
		return oneRow(res, err, auth.ErrNotFound)
	})
}

// Users implements auth.Users.
func (s users) Users(ctx context.Context) ([]auth.User, error) {
	rows, err := s.d.read.QueryContext(ctx, selectUsers+" ORDER BY email")
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	defer rows.Close()
	var out []auth.User
	for rows.Next() {
		u, err := scanUser(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("list users: %w", err)
		}
		out = append(out, u)
	}
	return out, rows.Err()
}

// Staff implements alerting.People.
func (s users) Staff(ctx context.Context) ([]alerting.Person, error) {
	all, err := s.Users(ctx)
	if err != nil {
		return nil, err
	}
	var out []alerting.Person
	for _, u := range all {
		if !u.Disabled {
			out = append(out, alerting.Person{Email: u.Email, Name: u.Name, Role: u.Role, Locations: u.Locations, Timezone: u.Timezone})
		}
	}
	return out, nil
}
