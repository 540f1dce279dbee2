package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
)

type insertParams struct {
	scope

	Jobs []struct {
		echoArgs

		Opts *insertOpts `json:"opts"`
	} `json:"jobs"`
}

type insertOpts struct {
	MaxAttempts int             `json:"max_attempts"`
	Metadata    json.RawMessage `json:"metadata"`
	Pending     bool            `json:"pending"`
	Priority    int             `json:"priority"`
	Queue       string          `json:"queue"`
	ScheduledAt *time.Time      `json:"scheduled_at"`
	Tags        []string        `json:"tags"`
	Unique      *uniqueOpts     `json:"unique"`
}

type uniqueOpts struct {
	ByArgs      bool     `json:"by_args"`
	ByPeriodMS  int64    `json:"by_period_ms"`
	ByQueue     bool     `json:"by_queue"`
	ByState     []string `json:"by_state"`
	ExcludeKind bool     `json:"exclude_kind"`
}

func (o *insertOpts) toRiver() *river.InsertOpts {
	if o == nil {
		return nil
	}
	opts := &river.InsertOpts{
		MaxAttempts: o.MaxAttempts,
		Pending:     o.Pending,
		Priority:    o.Priority,
		Queue:       o.Queue,
		Tags:        o.Tags,
	}
	if string(o.Metadata) != "null" {
		opts.Metadata = o.Metadata
	}
	if o.ScheduledAt != nil {
		opts.ScheduledAt = *o.ScheduledAt
	}
	if o.Unique != nil {
		opts.UniqueOpts = o.Unique.toRiver()
	}
	return opts
}

func (o *uniqueOpts) toRiver() river.UniqueOpts {
	return river.UniqueOpts{
		ByArgs:      o.ByArgs,
		ByPeriod:    milliseconds(o.ByPeriodMS),
		ByQueue:     o.ByQueue,
		ByState:     jobStates(o.ByState),
		ExcludeKind: o.ExcludeKind,
	}
}

// jobStates is nil for no names: an empty list means River's default.
func jobStates(names []string) []rivertype.JobState {
	var states []rivertype.JobState
	for _, name := range names {
		states = append(states, rivertype.JobState(name))
	}
	return states
}

func milliseconds(count int64) time.Duration { return time.Duration(count) * time.Millisecond }

func (p *insertParams) toRiver() []river.InsertManyParams {
	params := make([]river.InsertManyParams, len(p.Jobs))
	for i, job := range p.Jobs {
		params[i] = river.InsertManyParams{Args: job.echoArgs, InsertOpts: job.Opts.toRiver()}
	}
	return params
}

type insertResult struct {
	Job                      *jobJSON `json:"job"`
	UniqueSkippedAsDuplicate bool     `json:"unique_skipped_as_duplicate"`
}

func (a *adapter) insert(ctx context.Context, params *insertParams) (any, error) {
	results, err := a.insertMany(ctx, params.scope, params.toRiver())
	if err != nil {
		return nil, err
	}
	return map[string]any{"results": results}, nil
}

func (a *adapter) insertMany(ctx context.Context, where scope, params []river.InsertManyParams) ([]insertResult, error) {
	inserted, err := inScope(a, where,
		func(client *riverClient) ([]*rivertype.JobInsertResult, error) {
			return client.InsertMany(ctx, params)
		},
		func(client *riverClient, tx pgx.Tx) ([]*rivertype.JobInsertResult, error) {
			return client.InsertManyTx(ctx, tx, params)
		})
	if err != nil {
		return nil, err
	}
	results := make([]insertResult, len(inserted))
	for i, result := range inserted {
		results[i] = insertResult{Job: toJobJSON(result.Job), UniqueSkippedAsDuplicate: result.UniqueSkippedAsDuplicate}
	}
	return results, nil
}
