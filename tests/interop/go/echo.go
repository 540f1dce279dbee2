package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

// The kinds an adapter's own worker may have.
const (
	kindEcho        = "conformance_echo"
	kindEchoPeer    = "conformance_echo_peer"
	kindEchoRenamed = "conformance_echo_renamed"
)

var workerKinds = []string{kindEcho, kindEchoPeer, kindEchoRenamed}

// echoArgs are the args of every job the protocol inserts; all three keys are always written.
type echoArgs struct {
	kind string

	Behavior   string `json:"behavior"`
	DurationMS int64  `json:"duration_ms"`
	Message    string `json:"message"`
}

func (a echoArgs) Kind() string { return cmp.Or(a.kind, kindEcho) }

func (a echoArgs) KindAliases() []string {
	if a.kind == kindEchoRenamed {
		return []string{kindEcho}
	}
	return nil
}

func (r *runtime) work(ctx context.Context, job *river.Job[echoArgs]) error {
	switch job.Args.Behavior {
	case "":
		return nil
	case "barrier_output":
		if err := r.waitAtBarrier(ctx, job.Args.Message); err != nil {
			return err
		}
		return river.RecordOutput(ctx, map[string]string{"race": "worker"})
	case "barrier_wait":
		return r.waitAtBarrier(ctx, job.Args.Message)
	case "cancel":
		return river.JobCancel(errors.New("conformance cancelled by worker"))
	case "cooperative_cancel":
		if ctx.Err() != nil {
			r.count(func(stats *statsResult) { stats.CancelledAtStart++ })
		}
		<-ctx.Done()
		return ctx.Err()
	case "error":
		return errors.New("conformance retryable error")
	case "output":
		return river.RecordOutput(ctx, map[string]string{"message": job.Args.Message})
	case "resumable_cursor":
		resumableCursor(ctx, job)
		return nil
	case "sleep":
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(milliseconds(job.Args.DurationMS)):
			return nil
		}
	case "snooze_once":
		return snoozeOnce(job)
	default:
		return r.workOurOwn(ctx, job)
	}
}

// workOurOwn does what the protocol has no word for.
func (r *runtime) workOurOwn(ctx context.Context, job *river.Job[echoArgs]) error {
	switch job.Args.Behavior {
	case "barrier_error":
		if err := r.waitAtBarrier(ctx, job.Args.Message); err != nil {
			return err
		}
		return errors.New("conformance retryable error")
	case "cancel_error":
		<-ctx.Done()
		return errors.New("conformance retryable error")
	case "cancel_ignored":
		<-ctx.Done()
		return nil
	case "metadata":
		return river.MetadataSet(ctx, job.Args.Message, job.Args.DurationMS)
	case "metadata_and_error":
		if err := river.MetadataSet(ctx, job.Args.Message, job.Args.DurationMS); err != nil {
			return err
		}
		return errors.New("conformance retryable error")
	case "output_and_error":
		if err := river.RecordOutput(ctx, map[string]string{"message": job.Args.Message}); err != nil {
			return err
		}
		return errors.New("conformance retryable error")
	case "panic":
		panic("conformance panic")
	case "snooze":
		return river.JobSnooze(milliseconds(job.Args.DurationMS))
	default:
		return fmt.Errorf("unknown behavior %q", job.Args.Behavior)
	}
}

func (r *runtime) waitAtBarrier(ctx context.Context, name string) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.barriers.get(name):
		return nil
	}
}

func resumableCursor(ctx context.Context, job *river.Job[echoArgs]) {
	river.ResumableStep(ctx, "first", nil, func(ctx context.Context) error {
		return river.MetadataSet(ctx, "first_attempt", job.Attempt)
	})
	river.ResumableStepCursor(ctx, "second", nil, func(ctx context.Context, cursor int) error {
		if job.Attempt == 1 {
			if err := river.ResumableSetCursor(ctx, 7); err != nil {
				return err
			}
			return errors.New("conformance failure in the second step")
		}
		if cursor != 7 {
			return fmt.Errorf("cursor is %d, not 7", cursor)
		}
		return river.MetadataSet(ctx, "cursor_observed", cursor)
	})
	river.ResumableStep(ctx, "third", nil, func(context.Context) error {
		if job.Attempt == 2 {
			return errors.New("conformance failure in the third step")
		}
		return nil
	})
}

func snoozeOnce(job *river.Job[echoArgs]) error {
	var metadata map[string]json.RawMessage
	if err := json.Unmarshal(job.Metadata, &metadata); err != nil {
		return err
	}
	if _, snoozed := metadata["snoozes"]; snoozed {
		return nil
	}
	return river.JobSnooze(milliseconds(max(job.Args.DurationMS, 1)))
}
