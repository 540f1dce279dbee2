// Command river-peer is a program around River's own Go client, so that tests,
// demonstrations and benchmarks of the Python client have a Go peer on the same
// database.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage: river-peer COMMAND [FLAGS]

  migrate-up, migrate-down   apply or revert migrations
  migrate-list               list migrations, applied and unapplied
  validate                   exit 1 when a migration is unapplied
  adapter [--extended]       speak River's conformance protocol on stdin and stdout
  bench MODE                 measure insert, insert-tx, insert-many or insert-many-fast
  bench-work MODE            measure work, mixed, latency or memory
  work                       work jobs, printing a line for each

Every command but adapter takes --database-url; see COMMAND -h.
`

// commands are the subcommands by name; each gets the arguments after its name.
var commands = map[string]func(ctx context.Context, args []string) error{
	"adapter":      runAdapter,
	"bench":        runBench,
	"bench-work":   runBenchWork,
	"migrate-down": runMigrateDown,
	"migrate-list": runMigrateList,
	"migrate-up":   runMigrateUp,
	"validate":     runValidate,
	"work":         runWork,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	err := commands[args[0]](ctx, args[1:])
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, new(usageError)):
		fmt.Fprintf(os.Stderr, "river-peer %s: %s\n", args[0], err)
		return 2
	default:
		fmt.Fprintf(os.Stderr, "river-peer %s: %s\n", args[0], err)
		return 1
	}
}

// usageError is a mistake on the command line: exit status 2.
type usageError string

func (e usageError) Error() string { return string(e) }
