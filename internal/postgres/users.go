package postgres

import (
	"context"

	"redalert/alerting"
	"redalert/internal/auth"
)

// Users is the auth.Users over this database.
func (d *DB) Users() auth.Users { return users{d} }

// People is the alerting.People over this database: the enabled users.
func (d *DB) People() alerting.People { return users{d} }

type users struct{ d *DB }

const selectUsers = "SELECT email, name, role, locations, timezone, password_hash, disabled, created_at FROM users"

func scanUser(r row) (u auth.User, err error) {
	var created int64
	err = r.Scan(&u.Email, &u.Name, &u.Role, &u.Locations, &u.Timezone, &u.PasswordHash, &u.Disabled, &created)
	u.CreatedAt = fromMS(created)
	return u, err
}

// CreateUser implements auth.Users.
func (s users) CreateUser(ctx context.Context, u auth.User) error {
	n, err := s.d.exec(ctx, `INSERT INTO users (email, name, role, locations, timezone, password_hash, disabled, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (email) DO NOTHING`, u.Email, u.Name, u.Role, texts(u.Locations),
		u.Timezone, u.PasswordHash, u.Disabled, ms(u.CreatedAt))
	if err == nil && n == 0 {
		return auth.ErrExists
	}
	return unavailable("create user", err)
}

// User implements auth.Users.
func (s users) User(ctx context.Context, email string) (auth.User, error) {
	u, err := first(ctx, s.d, auth.ErrNotFound, scanUser, selectUsers+" WHERE email = $1", email)
	return u, unavailable("user", err)
}

// UpdateUser implements auth.Users.
func (s users) UpdateUser(ctx context.Context, u auth.User) error {
	n, err := s.d.exec(ctx, `UPDATE users SET name = $2, role = $3, locations = $4, timezone = $5, password_hash = $6, disabled = $7
		WHERE email = $1`, u.Email, u.Name, u.Role, texts(u.Locations), u.Timezone, u.PasswordHash, u.Disabled)
	if err == nil && n == 0 {
		return auth.ErrNotFound
	}
	return unavailable("update user", err)
}

// Users implements auth.Users.
func (s users) Users(ctx context.Context) ([]auth.User, error) {
	us, err := query(ctx, s.d, scanUser, selectUsers+" ORDER BY email")
	return us, unavailable("list users", err)
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
