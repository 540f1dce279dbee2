package main

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
)

// How often --until-idle looks for jobs that are left, how far ahead it looks for
// retries, and how long a stop waits for running jobs.
const (
	idleInterval = 50 * time.Millisecond
	idleHorizon  = "10 seconds"
	stopTimeout  = 10 * time.Second
)

func runWork(ctx context.Context, args []string) error {
	flags := newDatabaseFlags("work")
	var (
		count      = flags.Int("count", 0, "stop after this many jobs (0: no limit)")
		kinds      = flags.String("kinds", "", "kinds to work, by commas (default: those in the table now)")
		maxWorkers = flags.Int("max-workers", 10, "jobs worked at once in each queue")
		queues     = flags.String("queues", river.QueueDefault, "queues to work, by commas")
		untilIdle  = flags.Bool("until-idle", false, "stop when no job of these kinds and queues is left to work soon")
	)
	if err := flags.parse(args); err != nil {
		return err
	}
	pool, driver, err := flags.open(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()

	table := pgx.Identifier{"river_job"}.Sanitize()
	if flags.schema != "" {
		table = pgx.Identifier{flags.schema, "river_job"}.Sanitize()
	}
	shift := &shift{done: make(chan struct{}), limit: int64(*count)}
	if *kinds != "" {
		shift.kinds = strings.Split(*kinds, ",")
	} else if shift.kinds, err = kindsIn(ctx, pool, table); err != nil {
		return err
	}
	if len(shift.kinds) == 0 {
		return usageError("there are no jobs, so --kinds is required")
	}

	config := &river.Config{
		FetchOnlyKnownKinds: true,
		Logger:              stderrLogger(),
		Queues:              map[string]river.QueueConfig{},
		Schema:              flags.schema,
		Workers:             river.NewWorkers(),
	}
	queueNames := strings.Split(*queues, ",")
	for _, queue := range queueNames {
		config.Queues[queue] = river.QueueConfig{MaxWorkers: *maxWorkers}
	}
	for _, kind := range shift.kinds {
		river.AddWorkerArgs(config.Workers, rawArgs{kind: kind}, river.WorkFunc(shift.work))
	}
	client, err := river.NewClient(driver, config)
	if err != nil {
		return err
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}

	waitErr := shift.wait(ctx, *untilIdle, func(ctx context.Context) (bool, error) {
		return anyLeft(ctx, pool, table, queueNames, shift.kinds)
	})
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := client.Stop(stopCtx); err != nil {
		return err
	}
	return waitErr
}

// shift is the work of one run of the command.
type shift struct {
	done   chan struct{} // closed when the limit is reached
	kinds  []string
	limit  int64
	worked atomic.Int64
}

func (s *shift) work(_ context.Context, job *river.Job[rawArgs]) error {
	fmt.Printf("worked job %d kind=%s args=%s\n", job.ID, job.Kind, job.EncodedArgs)
	if s.worked.Add(1) == s.limit {
		close(s.done)
	}
	return nil
}

// wait returns when a signal came, the limit is reached or, if asked to look, no job is left.
func (s *shift) wait(ctx context.Context, untilIdle bool, anyLeft func(context.Context) (bool, error)) error {
	ticker := time.NewTicker(idleInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.done:
			return nil
		case <-ticker.C:
			if !untilIdle {
				continue
			}
			if left, err := anyLeft(ctx); err != nil || !left {
				return err
			}
		}
	}
}

func kindsIn(ctx context.Context, pool *pgxpool.Pool, table string) ([]string, error) {
	rows, err := pool.Query(ctx, "SELECT DISTINCT kind FROM "+table+" ORDER BY kind")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// anyLeft tells whether a job is running, or to be worked within the horizon.
func anyLeft(ctx context.Context, pool *pgxpool.Pool, table string, queues, kinds []string) (bool, error) {
	var left bool
	err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM `+table+`
		WHERE queue = any($1) AND kind = any($2)
		  AND (state = 'running'
		       OR state IN ('available', 'retryable', 'scheduled') AND scheduled_at < now() + interval '`+idleHorizon+`'))`,
		queues, kinds).Scan(&left)
	return left, err
}
