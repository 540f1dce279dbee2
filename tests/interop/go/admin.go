package main

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
)

// getJob tells a job, and its output as River reads it.
func (a *adapter) getJob(ctx context.Context, params *jobParams) (any, error) {
	job, err := inScope(a, params.scope,
		func(client *riverClient) (*rivertype.JobRow, error) { return client.JobGet(ctx, params.ID) },
		func(client *riverClient, tx pgx.Tx) (*rivertype.JobRow, error) {
			return client.JobGetTx(ctx, tx, params.ID)
		})
	if err != nil {
		return nil, err
	}
	return map[string]any{"job": toJobJSON(job), "output": json.RawMessage(job.Output())}, nil
}

type deleteManyParams struct {
	scope

	All        bool     `json:"all"`
	IDs        []int64  `json:"ids"`
	Kinds      []string `json:"kinds"`
	Limit      int      `json:"limit"`
	Priorities []int16  `json:"priorities"`
	Queues     []string `json:"queues"`
	States     []string `json:"states"`
}

func (p *deleteManyParams) toRiver() *river.JobDeleteManyParams {
	params := river.NewJobDeleteManyParams().
		IDs(p.IDs...).Kinds(p.Kinds...).Priorities(p.Priorities...).Queues(p.Queues...).States(jobStates(p.States)...)
	if p.All {
		params = params.UnsafeAll()
	}
	if p.Limit > 0 {
		params = params.First(p.Limit)
	}
	return params
}

func (a *adapter) deleteMany(ctx context.Context, p *deleteManyParams) (any, error) {
	params := p.toRiver()
	deleted, err := inScope(a, p.scope,
		func(client *riverClient) (*river.JobDeleteManyResult, error) {
			return client.JobDeleteMany(ctx, params)
		},
		func(client *riverClient, tx pgx.Tx) (*river.JobDeleteManyResult, error) {
			return client.JobDeleteManyTx(ctx, tx, params)
		})
	if err != nil {
		return nil, err
	}
	return map[string]any{"jobs": toJobsJSON(deleted.Jobs)}, nil
}

type updateParams struct {
	jobParams

	Output string `json:"output"` // JSON text
}

func (a *adapter) updateJob(ctx context.Context, p *updateParams) (any, error) {
	params := &river.JobUpdateParams{}
	if p.Output != "" {
		params.Output = json.RawMessage(p.Output)
	}
	job, err := inScope(a, p.scope,
		func(client *riverClient) (*rivertype.JobRow, error) { return client.JobUpdate(ctx, p.ID, params) },
		func(client *riverClient, tx pgx.Tx) (*rivertype.JobRow, error) {
			return client.JobUpdateTx(ctx, tx, p.ID, params)
		})
	if err != nil {
		return nil, err
	}
	return toJobJSON(job), nil
}

// countJobs counts as River's UI does; the client has no method for it.
func (a *adapter) countJobs(ctx context.Context, where *scope) (any, error) {
	count := func(exec riverdriver.Executor) (map[rivertype.JobState]int, error) {
		return exec.JobCountByAllStates(ctx, &riverdriver.JobCountByAllStatesParams{Schema: where.Schema})
	}
	counts, err := inScope(a, *where,
		func(*riverClient) (map[rivertype.JobState]int, error) { return count(a.driver.GetExecutor()) },
		func(_ *riverClient, tx pgx.Tx) (map[rivertype.JobState]int, error) {
			return count(a.driver.UnwrapExecutor(tx))
		})
	if err != nil {
		return nil, err
	}
	return map[string]any{"by_state": counts}, nil
}

// queueJSON is a queue row with the names of its columns.
type queueJSON struct {
	CreatedAt time.Time       `json:"created_at"`
	Metadata  json.RawMessage `json:"metadata"`
	Name      string          `json:"name"`
	PausedAt  *time.Time      `json:"paused_at"`
	UpdatedAt time.Time       `json:"updated_at"`
}

func toQueueJSON(queue *rivertype.Queue) *queueJSON {
	return &queueJSON{
		CreatedAt: queue.CreatedAt.UTC(), Metadata: queue.Metadata, Name: queue.Name,
		PausedAt: utcOrNil(queue.PausedAt), UpdatedAt: queue.UpdatedAt.UTC(),
	}
}

type queueGetParams struct {
	scope

	Name string `json:"name"`
}

func (a *adapter) queueGet(ctx context.Context, params *queueGetParams) (any, error) {
	queue, err := inScope(a, params.scope,
		func(client *riverClient) (*rivertype.Queue, error) { return client.QueueGet(ctx, params.Name) },
		func(client *riverClient, tx pgx.Tx) (*rivertype.Queue, error) {
			return client.QueueGetTx(ctx, tx, params.Name)
		})
	if err != nil {
		return nil, err
	}
	return toQueueJSON(queue), nil
}

type queueListParams struct {
	scope

	Limit int `json:"limit"`
}

func (a *adapter) queueList(ctx context.Context, p *queueListParams) (any, error) {
	params := river.NewQueueListParams()
	if p.Limit > 0 {
		params = params.First(p.Limit)
	}
	listed, err := inScope(a, p.scope,
		func(client *riverClient) (*river.QueueListResult, error) { return client.QueueList(ctx, params) },
		func(client *riverClient, tx pgx.Tx) (*river.QueueListResult, error) {
			return client.QueueListTx(ctx, tx, params)
		})
	if err != nil {
		return nil, err
	}
	queues := []*queueJSON{}
	for _, queue := range listed.Queues {
		queues = append(queues, toQueueJSON(queue))
	}
	return map[string]any{"queues": queues}, nil
}
