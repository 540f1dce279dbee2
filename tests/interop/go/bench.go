package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

// jobsPerTx is how many jobs insert-tx inserts, one call each, in one transaction.
const jobsPerTx = 100

type benchArgs struct {
	Num int `json:"num"`
}

func (benchArgs) Kind() string { return "bench" }

// benchResult is the one line of JSON the command prints. Percentiles are over the
// calls of every round; jobs per second is that of the median round.
type benchResult struct {
	Mode          string    `json:"mode"`
	Jobs          int       `json:"jobs"`
	Batch         int       `json:"batch"`
	Rounds        int       `json:"rounds"`
	Calls         int       `json:"calls"`
	JobsPerSecond float64   `json:"jobs_per_second"`
	EachRound     []float64 `json:"jobs_per_second_each_round"`
	P50           float64   `json:"p50_us"`
	P95           float64   `json:"p95_us"`
	P99           float64   `json:"p99_us"`
}

// bencher inserts jobs, or looks after them, and notes how long each call to River took.
type bencher struct {
	batch  int
	calls  []time.Duration
	client *river.Client[pgx.Tx]
	next   int
	pool   *pgxpool.Pool
}

var benchModes = map[string]func(b *bencher, ctx context.Context, count int) error{
	"insert":           (*bencher).insert,
	"insert-many":      (*bencher).insertMany,
	"insert-many-fast": (*bencher).insertManyFast,
	"insert-tx":        (*bencher).insertTx,
	"job-delete-many":  (*bencher).jobDeleteMany,
	"job-get":          (*bencher).jobGet,
	"job-list":         (*bencher).jobList,
}

func runBench(ctx context.Context, args []string) error {
	if len(args) == 0 || benchModes[args[0]] == nil {
		return usageError("the mode comes before any flag and is one of " + strings.Join(slices.Sorted(maps.Keys(benchModes)), ", "))
	}
	mode := args[0]
	flags := newDatabaseFlags("bench " + mode)
	var (
		batch  = flags.Int("batch", 1000, "jobs of one call, where a call takes several")
		count  = flags.Int("count", 10_000, "jobs of one round")
		rounds = flags.Int("rounds", 1, "rounds measured")
	)
	if err := flags.parse(args[1:]); err != nil {
		return err
	}
	if *batch < 1 || *count < 1 || *rounds < 1 {
		return usageError("--batch, --count and --rounds must be positive")
	}
	pool, driver, err := flags.open(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	client, err := river.NewClient(driver, &river.Config{Logger: stderrLogger(), Schema: flags.schema})
	if err != nil {
		return err
	}

	bench := &bencher{batch: *batch, client: client, pool: pool}
	run := benchModes[mode]
	if err := run(bench, ctx, max(*count/10, 1)); err != nil { // warm-up, not counted
		return err
	}
	bench.calls = nil

	result := benchResult{Mode: mode, Jobs: *count, Rounds: *rounds, Batch: 1}
	if strings.Contains(mode, "many") || mode == "job-list" {
		result.Batch = *batch
	}
	for range *rounds {
		start := time.Now()
		if err := run(bench, ctx, *count); err != nil {
			return err
		}
		result.EachRound = append(result.EachRound, float64(*count)/time.Since(start).Seconds())
	}

	slices.Sort(bench.calls)
	result.Calls = len(bench.calls)
	result.JobsPerSecond = percentile(slices.Sorted(slices.Values(result.EachRound)), 50)
	result.P50 = microseconds(percentile(bench.calls, 50))
	result.P95 = microseconds(percentile(bench.calls, 95))
	result.P99 = microseconds(percentile(bench.calls, 99))
	line, err := json.Marshal(result)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "%s\n", line)
	return err
}

func (b *bencher) insert(ctx context.Context, count int) error {
	for range count {
		if err := b.timed(func() error {
			_, err := b.client.Insert(ctx, b.args(), nil)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func (b *bencher) insertTx(ctx context.Context, count int) error {
	for done := 0; done < count; done += jobsPerTx {
		err := pgx.BeginFunc(ctx, b.pool, func(tx pgx.Tx) error {
			for range min(jobsPerTx, count-done) {
				if err := b.timed(func() error {
					_, err := b.client.InsertTx(ctx, tx, b.args(), nil)
					return err
				}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bencher) insertMany(ctx context.Context, count int) error {
	return b.batches(count, func(params []river.InsertManyParams) error {
		_, err := b.client.InsertMany(ctx, params)
		return err
	})
}

func (b *bencher) insertManyFast(ctx context.Context, count int) error {
	return b.batches(count, func(params []river.InsertManyParams) error {
		_, err := b.client.InsertManyFast(ctx, params)
		return err
	})
}

func (b *bencher) batches(count int, insert func([]river.InsertManyParams) error) error {
	for done := 0; done < count; done += b.batch {
		err := b.timed(func() error {
			params := make([]river.InsertManyParams, min(b.batch, count-done))
			for i := range params {
				params[i].Args = b.args()
			}
			return insert(params)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// jobGet reads jobs that are there, whose identities begin with 1.
func (b *bencher) jobGet(ctx context.Context, count int) error {
	for id := range int64(count) {
		if err := b.timed(func() error {
			_, err := b.client.JobGet(ctx, id+1)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

func (b *bencher) jobList(ctx context.Context, count int) error {
	return b.pages(count, func(size int) (int, error) {
		result, err := b.client.JobList(ctx, river.NewJobListParams().First(size))
		if err != nil {
			return 0, err
		}
		return len(result.Jobs), nil
	})
}

func (b *bencher) jobDeleteMany(ctx context.Context, count int) error {
	return b.pages(count, func(size int) (int, error) {
		params := river.NewJobDeleteManyParams().States(rivertype.JobStateCompleted).First(size)
		result, err := b.client.JobDeleteMany(ctx, params)
		if err != nil {
			return 0, err
		}
		return len(result.Jobs), nil
	})
}

func (b *bencher) pages(count int, call func(size int) (int, error)) error {
	for done := 0; done < count; done += b.batch {
		err := b.timed(func() error {
			size := min(b.batch, count-done)
			found, err := call(size)
			if err == nil && found != size {
				err = fmt.Errorf("%d jobs instead of %d", found, size)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bencher) args() benchArgs {
	b.next++
	return benchArgs{Num: b.next}
}

func (b *bencher) timed(call func() error) error {
	start := time.Now()
	err := call()
	b.calls = append(b.calls, time.Since(start))
	return err
}

// percentile takes the nearest rank of sorted values.
func percentile[T any](sorted []T, percent int) T {
	return sorted[max((len(sorted)*percent+99)/100, 1)-1]
}

func microseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }
