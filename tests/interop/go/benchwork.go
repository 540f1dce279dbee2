package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
)

const (
	lookInterval  = 5 * time.Millisecond // between two looks whether the database has all
	restTime      = time.Second / 2      // what a client may take to come to rest
	tunedCooldown = river.FetchCooldownMin
)

// workBencher works jobs as the benchmark's other contestants do, and says of it, line
// by line, what they say.
type workBencher struct {
	client *river.Client[pgx.Tx]
	count  int64
	out    *json.Encoder
	pool   *pgxpool.Pool

	allBegun  chan struct{}
	allDone   chan struct{}
	begun     atomic.Int64
	done      atomic.Int64
	firstTime time.Time

	// job is the work of each job, between its begin and its end.
	job func(ctx context.Context)
}

var benchWorkModes = map[string]func(b *workBencher, ctx context.Context) error{
	"latency": (*workBencher).latency,
	"memory":  (*workBencher).memory,
	"mixed":   (*workBencher).mixed,
	"work":    (*workBencher).throughput,
}

func runBenchWork(ctx context.Context, args []string) error {
	if len(args) == 0 || benchWorkModes[args[0]] == nil {
		return usageError("the mode comes before any flag and is one of " + strings.Join(slices.Sorted(maps.Keys(benchWorkModes)), ", "))
	}
	mode := args[0]
	flags := newDatabaseFlags("bench-work " + mode)
	var (
		count   = flags.Int64("count", 1000, "jobs")
		sleep   = flags.Float64("sleep", 0, "milliseconds that each job takes")
		slots   = flags.Int("slots", 100, "jobs worked at once")
		variant = flags.String("variant", "", `"tuned" for the least fetch cooldown`)
	)
	if err := flags.parse(args[1:]); err != nil {
		return err
	}
	pool, driver, err := flags.open(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()

	bench := &workBencher{
		count:    *count,
		out:      json.NewEncoder(os.Stdout),
		pool:     pool,
		allBegun: make(chan struct{}),
		allDone:  make(chan struct{}),
		job:      func(context.Context) { time.Sleep(time.Duration(*sleep * float64(time.Millisecond))) },
	}
	config := &river.Config{
		Logger:  stderrLogger(),
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: *slots}},
		Schema:  flags.schema,
		Workers: river.NewWorkers(),
	}
	if *variant == "tuned" {
		config.FetchCooldown = tunedCooldown
	}
	river.AddWorker(config.Workers, river.WorkFunc(bench.work))
	if bench.client, err = river.NewClient(driver, config); err != nil {
		return err
	}
	return benchWorkModes[mode](bench, ctx)
}

func (b *workBencher) work(ctx context.Context, _ *river.Job[benchArgs]) error {
	switch b.begun.Add(1) {
	case 1:
		b.firstTime = time.Now()
		if b.count == 1 {
			close(b.allBegun)
		}
	case b.count:
		close(b.allBegun)
	}
	b.job(ctx)
	if b.done.Add(1) == b.count {
		close(b.allDone)
	}
	return nil
}

// throughput works jobs that are there; the time is from the first's begin until all
// are completed in the database.
func (b *workBencher) throughput(ctx context.Context) error {
	if err := b.client.Start(ctx); err != nil {
		return err
	}
	if err := b.untilCompleted(ctx); err != nil {
		return err
	}
	elapsed := time.Since(b.firstTime)
	if err := b.stop(ctx); err != nil {
		return err
	}
	return b.out.Encode(map[string]float64{"jobs_per_second": float64(b.count) / elapsed.Seconds()})
}

// mixed works jobs that are inserted, one by one, meanwhile. What is measured is in the rows.
func (b *workBencher) mixed(ctx context.Context) error {
	if err := b.client.Start(ctx); err != nil {
		return err
	}
	for range b.count {
		if _, err := b.insert(ctx); err != nil {
			return err
		}
	}
	if err := b.untilCompleted(ctx); err != nil {
		return err
	}
	if err := b.stop(ctx); err != nil {
		return err
	}
	return b.out.Encode(map[string]int64{"jobs": b.count})
}

// latency inserts one job for each line it reads, and says how long after COMMIT its work began.
func (b *workBencher) latency(ctx context.Context) error {
	begun := make(chan time.Time, 1)
	b.job = func(context.Context) { begun <- time.Now() }
	if err := b.client.Start(ctx); err != nil {
		return err
	}
	time.Sleep(restTime)
	if err := b.out.Encode(map[string]bool{"ready": true}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		committed, err := b.insert(ctx)
		if err != nil {
			return err
		}
		latency := (<-begun).Sub(committed)
		if err := b.out.Encode(map[string]float64{"ms": microseconds(latency) / 1e3}); err != nil {
			return err
		}
	}
	return b.stop(ctx)
}

// memory says how much memory is used idle and, when a line was read, with all jobs waiting.
// The process ends with its jobs.
func (b *workBencher) memory(ctx context.Context) error {
	b.job = func(ctx context.Context) { <-ctx.Done() }
	if err := b.client.Start(ctx); err != nil {
		return err
	}
	if err := b.restAndWeigh(); err != nil {
		return err
	}
	bufio.NewScanner(os.Stdin).Scan()
	<-b.allBegun
	if err := b.restAndWeigh(); err != nil {
		return err
	}
	os.Exit(0)
	return nil
}

func (b *workBencher) restAndWeigh() error {
	time.Sleep(restTime)
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return err
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		return err
	}
	return b.out.Encode(map[string]float64{"mib": float64(pages*os.Getpagesize()) / (1 << 20)})
}

// insert inserts one job in a transaction, and returns the time when COMMIT was sent.
func (b *workBencher) insert(ctx context.Context) (time.Time, error) {
	tx, err := b.pool.Begin(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	if _, err := b.client.InsertTx(ctx, tx, benchArgs{Num: 1}, nil); err != nil {
		return time.Time{}, err
	}
	sent := time.Now()
	return sent, tx.Commit(ctx)
}

func (b *workBencher) untilCompleted(ctx context.Context) error {
	<-b.allDone
	for {
		var left int64
		err := b.pool.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE state IN ('available', 'running') AND queue = 'default'").Scan(&left)
		if err != nil || left == 0 {
			return err
		}
		time.Sleep(lookInterval)
	}
}

// stop stops the client and sees that all is completed.
func (b *workBencher) stop(ctx context.Context) error {
	if err := b.client.Stop(ctx); err != nil {
		return err
	}
	var completed int64
	err := b.pool.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE state = 'completed' AND queue = 'default'").Scan(&completed)
	if err == nil && b.done.Load() != completed {
		err = fmt.Errorf("%d jobs are completed instead of %d", completed, b.done.Load())
	}
	return err
}
