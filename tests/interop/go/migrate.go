package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivermigrate"
)

func runMigrateUp(ctx context.Context, args []string) error {
	return migrate(ctx, rivermigrate.DirectionUp, args)
}

func runMigrateDown(ctx context.Context, args []string) error {
	return migrate(ctx, rivermigrate.DirectionDown, args)
}

func migrate(ctx context.Context, direction rivermigrate.Direction, args []string) error {
	flags := newDatabaseFlags("migrate-" + string(direction))
	opts := &rivermigrate.MigrateOpts{}
	flags.IntVar(&opts.MaxSteps, "max-steps", 0, "most migrations to apply (0: all up, one down)")
	flags.IntVar(&opts.TargetVersion, "target-version", 0, "version to end at (-1: below the first)")
	return withMigrator(ctx, flags, args, func(migrator *rivermigrate.Migrator[pgx.Tx]) error {
		result, err := migrator.Migrate(ctx, direction, opts)
		if err != nil {
			return err
		}
		for _, version := range result.Versions {
			fmt.Printf("applied migration %03d [%s] %s\n", version.Version, direction, version.Name)
		}
		if len(result.Versions) == 0 {
			fmt.Println("no migrations to apply")
		}
		return nil
	})
}

func runMigrateList(ctx context.Context, args []string) error {
	return withMigrator(ctx, newDatabaseFlags("migrate-list"), args, func(migrator *rivermigrate.Migrator[pgx.Tx]) error {
		existing, err := migrator.ExistingVersions(ctx)
		if err != nil {
			return err
		}
		for _, migration := range migrator.AllVersions() {
			applied := slices.ContainsFunc(existing, func(m rivermigrate.Migration) bool { return m.Version == migration.Version })
			word := "unapplied"
			if applied {
				word = "applied"
			}
			fmt.Printf("%03d %s %s\n", migration.Version, word, migration.Name)
		}
		return nil
	})
}

func runValidate(ctx context.Context, args []string) error {
	flags := newDatabaseFlags("validate")
	opts := &rivermigrate.ValidateOpts{}
	flags.IntVar(&opts.TargetVersion, "target-version", 0, "last version that must be applied (0: the newest)")
	return withMigrator(ctx, flags, args, func(migrator *rivermigrate.Migrator[pgx.Tx]) error {
		result, err := migrator.Validate(ctx, opts)
		if err != nil {
			return err
		}
		if !result.OK {
			return errors.New(strings.Join(result.Messages, "\n"))
		}
		return nil
	})
}

func withMigrator(ctx context.Context, flags *databaseFlags, args []string, use func(*rivermigrate.Migrator[pgx.Tx]) error) error {
	if err := flags.parse(args); err != nil {
		return err
	}
	pool, driver, err := flags.open(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()

	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: stderrLogger(), Schema: flags.schema})
	if err != nil {
		return err
	}
	return use(migrator)
}
