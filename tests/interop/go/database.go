package main

import (
	"context"
	"flag"
	"log/slog"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
)

// stderrLogger keeps River's log away from stdout, which carries results.
func stderrLogger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// databaseFlags are the flags of every command that opens a database.
type databaseFlags struct {
	*flag.FlagSet
	schema string
	url    string
}

func newDatabaseFlags(command string) *databaseFlags {
	flags := &databaseFlags{FlagSet: flag.NewFlagSet("river-peer "+command, flag.ContinueOnError)}
	flags.StringVar(&flags.url, "database-url", "", "URI of the database (required)")
	flags.StringVar(&flags.schema, "schema", "", "schema of River's tables")
	return flags
}

func (f *databaseFlags) parse(args []string) error {
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return usageError("unexpected argument " + f.Arg(0))
	}
	if f.url == "" {
		return usageError("--database-url is required")
	}
	return nil
}

// open connects with a pool of pgx's default settings.
func (f *databaseFlags) open(ctx context.Context) (*pgxpool.Pool, *riverpgxv5.Driver, error) {
	pool, err := pgxpool.New(ctx, f.url)
	if err != nil {
		return nil, nil, err
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, nil, err
	}
	return pool, riverpgxv5.New(pool), nil
}
