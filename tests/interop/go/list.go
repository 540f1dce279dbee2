package main

import (
	"context"
	"encoding/json"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

type listParams struct {
	scope

	After      string          `json:"after"`
	Direction  string          `json:"direction"`
	IDs        []int64         `json:"ids"`
	Kinds      []string        `json:"kinds"`
	Limit      int             `json:"limit"`
	Metadata   json.RawMessage `json:"metadata"`
	OrderBy    string          `json:"order_by"`
	Priorities []int16         `json:"priorities"`
	Queues     []string        `json:"queues"`
	States     []string        `json:"states"`
	TagsAll    []string        `json:"tags_all"`
}

var (
	listDirections = map[string]river.SortOrder{"": river.SortOrderAsc, "asc": river.SortOrderAsc, "desc": river.SortOrderDesc}
	listOrders     = map[string]river.JobListOrderByField{
		"":             river.JobListOrderByID,
		"finalized_at": river.JobListOrderByFinalizedAt,
		"id":           river.JobListOrderByID,
		"scheduled_at": river.JobListOrderByScheduledAt,
		"time":         river.JobListOrderByTime,
	}
)

func (p *listParams) toRiver() (*river.JobListParams, error) {
	params := river.NewJobListParams()
	if len(p.States) > 0 {
		params = params.States(jobStates(p.States)...)
	}
	orderBy, ok := listOrders[p.OrderBy]
	if !ok {
		return nil, invalidParams("unknown order_by %q", p.OrderBy)
	}
	direction, ok := listDirections[p.Direction]
	if !ok {
		return nil, invalidParams("unknown direction %q", p.Direction)
	}
	params = params.OrderBy(orderBy, direction)
	if len(p.IDs) > 0 {
		params = params.IDs(p.IDs...)
	}
	if len(p.Kinds) > 0 {
		params = params.Kinds(p.Kinds...)
	}
	if p.Limit < 0 || p.Limit > 10_000 { // River panics
		return nil, rejected("limit must be between 1 and 10000")
	}
	if p.Limit > 0 {
		params = params.First(p.Limit)
	}
	if len(p.Metadata) > 0 && string(p.Metadata) != "null" {
		params = params.Metadata(string(p.Metadata))
	}
	if len(p.Priorities) > 0 {
		params = params.Priorities(p.Priorities...)
	}
	if len(p.Queues) > 0 {
		params = params.Queues(p.Queues...)
	}
	if len(p.TagsAll) > 0 {
		params = params.TagsAll(p.TagsAll...)
	}
	if p.After != "" {
		cursor := &river.JobListCursor{}
		if err := cursor.UnmarshalText([]byte(p.After)); err != nil {
			return nil, invalidParams("undecodable cursor: %s", err)
		}
		params = params.After(cursor)
	}
	return params, nil
}

func (a *adapter) list(ctx context.Context, p *listParams) (any, error) {
	params, err := p.toRiver()
	if err != nil {
		return nil, err
	}
	return a.listJobs(ctx, p.scope, params)
}

func (a *adapter) listJobs(ctx context.Context, where scope, params *river.JobListParams) (any, error) {
	listed, err := inScope(a, where,
		func(client *riverClient) (*river.JobListResult, error) { return client.JobList(ctx, params) },
		func(client *riverClient, tx pgx.Tx) (*river.JobListResult, error) {
			return client.JobListTx(ctx, tx, params)
		})
	if err != nil {
		return nil, err
	}
	result := struct {
		Cursor *string    `json:"cursor"`
		Jobs   []*jobJSON `json:"jobs"`
	}{Jobs: toJobsJSON(listed.Jobs)}
	if listed.LastCursor != nil {
		text, err := listed.LastCursor.MarshalText()
		if err != nil {
			return nil, err
		}
		cursor := string(text)
		result.Cursor = &cursor
	}
	return result, nil
}
