// What a person sees of themselves, the way a small service in Go does it: chi, pgx, a token signed with HS256.
//
// The packages are Debian's (golang-github-go-chi-chi-dev and the others that bench/me-peers.sh names), so this is built in
// GOPATH mode and downloads nothing.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/go-chi/chi"
	"github.com/golang-jwt/jwt"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

type me struct {
	UserID string `json:"user_id"`
	Email  string `json:"email"`
	Name   string `json:"name"`
	Role   string `json:"role"`
}

// The row by its key; where rows are kept apart by the database, the tenant is a setting of the transaction.
const (
	plain    = "SELECT user_id, email, name, role FROM people WHERE tenant_id = $1 AND user_id = $2"
	isolated = "SELECT user_id, email, name, role FROM people WHERE user_id = $1"
)

func main() {
	secret := []byte(os.Getenv("SECRET"))
	pool, err := pgxpool.Connect(context.Background(), os.Getenv("DATABASE_URL"))
	if err != nil {
		panic(err)
	}
	read := readPlain
	if os.Getenv("ISOLATED") == "1" {
		read = readIsolated
	}
	router := chi.NewRouter()
	router.Get("/me", func(answer http.ResponseWriter, request *http.Request) {
		tenant, user, err := caller(request, secret)
		if err != nil {
			http.Error(answer, "who are you?", http.StatusUnauthorized)
			return
		}
		found, err := read(request.Context(), pool, tenant, user)
		if err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
			return
		}
		answer.Header().Set("Content-Type", "application/json")
		json.NewEncoder(answer).Encode(found)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("http://%s is ready\n", listener.Addr())
	panic(http.Serve(listener, router))
}

func caller(request *http.Request, secret []byte) (string, string, error) {
	text := strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer ")
	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(text, claims, func(token *jwt.Token) (interface{}, error) {
		if token.Method != jwt.SigningMethodHS256 {
			return nil, fmt.Errorf("signed with %s", token.Method.Alg())
		}
		return secret, nil
	})
	tenant, _ := claims["tid"].(string)
	user, _ := claims["sub"].(string)
	return tenant, user, err
}

func readPlain(context context.Context, pool *pgxpool.Pool, tenant, user string) (me, error) {
	var found me
	row := pool.QueryRow(context, plain, tenant, user)
	err := row.Scan(&found.UserID, &found.Email, &found.Name, &found.Role)
	return found, err
}

func readIsolated(context context.Context, pool *pgxpool.Pool, tenant, user string) (me, error) {
	var found me
	err := pool.BeginTxFunc(context, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(context, "SELECT set_config('app.tenant_id', $1, true)", tenant); err != nil {
			return err
		}
		return tx.QueryRow(context, isolated, user).Scan(&found.UserID, &found.Email, &found.Name, &found.Role)
	})
	return found, err
}
