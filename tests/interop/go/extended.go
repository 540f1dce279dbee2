package main

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivershared/riverpilot"
	"github.com/riverqueue/river/rivertype"
)

// extendedMethods are not part of River's protocol: our own tests need them.
var extendedMethods = map[string]method{
	"count":       handler((*adapter).countJobs),
	"delete":      onJob((*riverClient).JobDelete, (*riverClient).JobDeleteTx),
	"delete_many": handler((*adapter).deleteMany),
	"get":         handler((*adapter).getJob),
	"insert_args": handler((*adapter).insertArgs),
	"insert_fast": handler((*adapter).insertFast),
	"list":        handler((*adapter).listExtended),
	"queue_get":   handler((*adapter).queueGet),
	"queue_list":  handler((*adapter).queueList),
	"start":       handler((*adapter).startExtended),
	"unique_key":  handler((*adapter).uniqueKey),
	"update":      handler((*adapter).updateJob),
	"worked":      handler((*adapter).workedJobs),
}

// insertFast is insert by InsertManyFast, which tells only how many.
func (a *adapter) insertFast(ctx context.Context, params *insertParams) (any, error) {
	jobs := params.toRiver()
	count, err := inScope(a, params.scope,
		func(client *riverClient) (int, error) { return client.InsertManyFast(ctx, jobs) },
		func(client *riverClient, tx pgx.Tx) (int, error) {
			return client.InsertManyFastTx(ctx, tx, jobs)
		})
	if err != nil {
		return nil, err
	}
	return map[string]int{"count": count}, nil
}

type insertArgsParams struct {
	scope

	Args        string      `json:"args"` // JSON text
	Kind        string      `json:"kind"`
	Opts        *insertOpts `json:"opts"`
	Typed       bool        `json:"typed"`
	UniquePaths [][]string  `json:"unique_paths"`
}

// insertArgs inserts a job of any kind and args, given as JSON text.
func (a *adapter) insertArgs(ctx context.Context, params *insertArgsParams) (any, error) {
	unique, err := newUniqueArgs(params.UniquePaths, params.Opts)
	if err != nil {
		return nil, err
	}
	text, err := argsText(params.Args, params.Typed)
	if err != nil {
		return nil, err
	}
	args := rawArgs{kind: params.Kind, text: text, unique: unique}
	results, err := a.insertMany(ctx, params.scope, []river.InsertManyParams{{Args: args, InsertOpts: params.Opts.toRiver()}})
	if err != nil {
		return nil, err
	}
	return results[0], nil
}

type extendedListParams struct {
	listParams

	TagsAny []string `json:"tags_any"`
}

func (a *adapter) listExtended(ctx context.Context, p *extendedListParams) (any, error) {
	params, err := p.toRiver()
	if err != nil {
		return nil, err
	}
	return a.listJobs(ctx, p.scope, params.TagsAny(p.TagsAny...))
}

type extendedStartParams struct {
	startParams

	RecordKinds []string `json:"record_kinds"`
}

func (a *adapter) startExtended(ctx context.Context, params *extendedStartParams) (any, error) {
	return a.startRecording(ctx, &params.startParams, params.RecordKinds)
}

type workedJob struct {
	ID         int64    `json:"id"`
	Kind       string   `json:"kind"`
	Args       string   `json:"args"` // JSON text as the worker got it
	Queue      string   `json:"queue"`
	Tags       []string `json:"tags"`
	Priority   int      `json:"priority"`
	Attempt    int      `json:"attempt"`
	ReceivedAt string   `json:"received_at"`
}

type queueMetadata struct {
	Queue    string `json:"queue"`
	Metadata string `json:"metadata"` // JSON text as the producer got it
}

// workedLog notes every job the client began to work, and what its producers were told of
// their queues' metadata, in that order.
type workedLog struct {
	mu     sync.Mutex
	jobs   []workedJob
	queues []queueMetadata
}

func (l *workedLog) record(_ context.Context, job *rivertype.JobRow) error {
	receivedAt := time.Now().UTC().Format(time.RFC3339Nano)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.jobs = append(l.jobs, workedJob{
		ID: job.ID, Kind: job.Kind, Args: string(job.EncodedArgs), Queue: job.Queue,
		Tags: append([]string{}, job.Tags...), Priority: job.Priority, Attempt: job.Attempt, ReceivedAt: receivedAt,
	})
	return nil
}

func (l *workedLog) recordQueue(params *riverpilot.QueueMetadataChangedParams) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queues = append(l.queues, queueMetadata{Queue: params.Queue, Metadata: string(params.Metadata)})
}

// workedJobs tells what the client that runs, or ran last, got.
func (a *adapter) workedJobs(context.Context, *noParams) (any, error) {
	a.worked.mu.Lock()
	defer a.worked.mu.Unlock()
	return map[string]any{
		"jobs":           append([]workedJob{}, a.worked.jobs...),
		"queue_metadata": append([]queueMetadata{}, a.worked.queues...),
	}, nil
}
