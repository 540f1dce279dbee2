package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"
)

// With the listener's connection, which leaves the pool, an adapter stays below ten.
const maxPoolConns = 8

// closeTimeout leaves room within the 30 seconds an adapter has to end.
const closeTimeout = 20 * time.Second

type riverClient = river.Client[pgx.Tx]

// adapter is the state of one adapter process. Requests come one at a time.
type adapter struct {
	barriers *barriers
	clients  map[string]*riverClient // insert-only ones, by schema
	driver   *riverpgxv5.Driver
	extended bool
	pool     *pgxpool.Pool
	runtime  *runtime // nil unless a client runs
	worked   *workedLog
	txs      map[string]pgx.Tx
}

var methods = map[string]method{
	"cancel":         onJob((*riverClient).JobCancel, (*riverClient).JobCancelTx),
	"handshake":      handler((*adapter).handshake),
	"insert":         handler((*adapter).insert),
	"list":           handler((*adapter).list),
	"migrate":        handler((*adapter).migrate),
	"queue":          handler((*adapter).queue),
	"release":        handler((*adapter).release),
	"request_resign": handler((*adapter).requestResign),
	"retry":          onJob((*riverClient).JobRetry, (*riverClient).JobRetryTx),
	"start":          handler((*adapter).start),
	"stats":          handler((*adapter).stats),
	"stop":           handler((*adapter).stop),
	"tx_begin":       handler((*adapter).txBegin),
	"tx_end":         handler((*adapter).txEnd),
}

func newAdapter(ctx context.Context, extended bool) (*adapter, error) {
	if driver := os.Getenv("RIVER_CONFORMANCE_DRIVER"); driver != "postgres" {
		return nil, usageError("RIVER_CONFORMANCE_DRIVER must be postgres, not " + driver)
	}
	config, err := pgxpool.ParseConfig(os.Getenv("RIVER_CONFORMANCE_DATABASE_URL"))
	if err != nil {
		return nil, err
	}
	config.MaxConns = maxPoolConns
	if name := os.Getenv("RIVER_CONFORMANCE_APPLICATION_NAME"); name != "" {
		config.ConnConfig.RuntimeParams["application_name"] = name
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &adapter{
		barriers: newBarriers(),
		clients:  map[string]*riverClient{},
		driver:   riverpgxv5.New(pool),
		extended: extended,
		pool:     pool,
		txs:      map[string]pgx.Tx{},
		worked:   &workedLog{},
	}, nil
}

// close ends what is open: the running client, its jobs cancelled, and transactions.
func (a *adapter) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	var err error
	if a.runtime != nil {
		err = a.runtime.stop(ctx, true)
	}
	for _, tx := range a.txs {
		err = errors.Join(err, tx.Rollback(ctx))
	}
	a.pool.Close()
	return err
}

// client gives the insert-only client of a schema. There is one, so that notifications
// are limited per adapter and schema, apart from those of a running client.
func (a *adapter) client(schema string) (*riverClient, error) {
	if client, ok := a.clients[schema]; ok {
		return client, nil
	}
	client, err := river.NewClient(a.driver, &river.Config{
		Hooks:  []rivertype.Hook{river.HookInsertBeginFunc(setUniqueKeyOfPaths)},
		Logger: stderrLogger(),
		Schema: schema,
	})
	if err != nil {
		return nil, err
	}
	a.clients[schema] = client
	return client, nil
}

// scope is the part of params that says where an operation runs.
type scope struct {
	Schema string `json:"schema"`
	Tx     string `json:"tx"`
}

// inScope calls one of two functions: with the open transaction named, or without one.
func inScope[R any](
	a *adapter, where scope,
	alone func(client *riverClient) (R, error),
	inTx func(client *riverClient, tx pgx.Tx) (R, error),
) (R, error) {
	var none R
	client, err := a.client(where.Schema)
	if err != nil {
		return none, err
	}
	if where.Tx == "" {
		return alone(client)
	}
	tx, ok := a.txs[where.Tx]
	if !ok {
		return none, notFound("no open transaction %q", where.Tx)
	}
	return inTx(client, tx)
}

type noParams struct{}

func (a *adapter) handshake(context.Context, *noParams) (any, error) {
	return map[string]string{"driver": "postgres", "implementation": "go", "version": riverVersion()}, nil
}

type jobParams struct {
	scope

	ID int64 `json:"id"`
}

// onJob makes a method of the client's two for one job: without a transaction, and in one.
func onJob(
	alone func(client *riverClient, ctx context.Context, id int64) (*rivertype.JobRow, error),
	inTx func(client *riverClient, ctx context.Context, tx pgx.Tx, id int64) (*rivertype.JobRow, error),
) method {
	return handler(func(a *adapter, ctx context.Context, params *jobParams) (any, error) {
		job, err := inScope(a, params.scope,
			func(client *riverClient) (*rivertype.JobRow, error) { return alone(client, ctx, params.ID) },
			func(client *riverClient, tx pgx.Tx) (*rivertype.JobRow, error) {
				return inTx(client, ctx, tx, params.ID)
			})
		if err != nil {
			return nil, err
		}
		return toJobJSON(job), nil
	})
}

type migrateParams struct {
	Direction     string `json:"direction"`
	Schema        string `json:"schema"`
	TargetVersion int    `json:"target_version"`
}

func (a *adapter) migrate(ctx context.Context, params *migrateParams) (any, error) {
	direction := rivermigrate.Direction(cmp.Or(params.Direction, "up"))
	if direction != rivermigrate.DirectionUp && direction != rivermigrate.DirectionDown {
		return nil, invalidParams("unknown direction %q", params.Direction)
	}
	migrator, err := rivermigrate.New(a.driver, &rivermigrate.Config{Logger: stderrLogger(), Schema: params.Schema})
	if err != nil {
		return nil, err
	}
	result, err := migrator.Migrate(ctx, direction, &rivermigrate.MigrateOpts{TargetVersion: params.TargetVersion})
	if err != nil {
		return nil, err
	}
	a.pool.Reset() // statements prepared for the tables of before would fail once
	versions := []int{}
	for _, version := range result.Versions {
		versions = append(versions, version.Version)
	}
	return map[string][]int{"versions": versions}, nil
}

type queueParams struct {
	scope

	Action   string          `json:"action"`
	Metadata json.RawMessage `json:"metadata"`
	Name     string          `json:"name"`
}

func (a *adapter) queue(ctx context.Context, params *queueParams) (any, error) {
	update := &river.QueueUpdateParams{}
	if string(params.Metadata) != "null" {
		update.Metadata = params.Metadata
	}
	actions := map[string][2]func(client *riverClient, tx pgx.Tx) error{ // alone, in tx
		"pause": {
			func(client *riverClient, _ pgx.Tx) error { return client.QueuePause(ctx, params.Name, nil) },
			func(client *riverClient, tx pgx.Tx) error {
				return client.QueuePauseTx(ctx, tx, params.Name, nil)
			},
		},
		"resume": {
			func(client *riverClient, _ pgx.Tx) error { return client.QueueResume(ctx, params.Name, nil) },
			func(client *riverClient, tx pgx.Tx) error {
				return client.QueueResumeTx(ctx, tx, params.Name, nil)
			},
		},
		"update": {
			func(client *riverClient, _ pgx.Tx) error {
				_, err := client.QueueUpdate(ctx, params.Name, update)
				return err
			},
			func(client *riverClient, tx pgx.Tx) error {
				_, err := client.QueueUpdateTx(ctx, tx, params.Name, update)
				return err
			},
		},
	}
	action, ok := actions[params.Action]
	if !ok {
		return nil, invalidParams("unknown action %q", params.Action)
	}
	return inScope(a, params.scope,
		func(client *riverClient) (any, error) { return nil, action[0](client, nil) },
		func(client *riverClient, tx pgx.Tx) (any, error) { return nil, action[1](client, tx) })
}

func (a *adapter) requestResign(ctx context.Context, params *scope) (any, error) {
	return inScope(a, *params,
		func(client *riverClient) (any, error) { return nil, client.Notify().RequestResign(ctx) },
		func(client *riverClient, tx pgx.Tx) (any, error) {
			return nil, client.Notify().RequestResignTx(ctx, tx)
		})
}

type txParams struct {
	Tx string `json:"tx"`
}

func (a *adapter) txBegin(ctx context.Context, params *txParams) (any, error) {
	if params.Tx == "" {
		return nil, invalidParams("a transaction needs a name")
	}
	if _, ok := a.txs[params.Tx]; ok {
		return nil, rejected("transaction %q is already open", params.Tx)
	}
	tx, err := a.pool.Begin(ctx)
	if err != nil {
		return nil, err
	}
	a.txs[params.Tx] = tx
	return nil, nil
}

type txEndParams struct {
	Commit bool   `json:"commit"`
	Tx     string `json:"tx"`
}

func (a *adapter) txEnd(ctx context.Context, params *txEndParams) (any, error) {
	if params.Tx == "" {
		return nil, invalidParams("a transaction needs a name")
	}
	tx, ok := a.txs[params.Tx]
	if !ok {
		return nil, notFound("no open transaction %q", params.Tx)
	}
	delete(a.txs, params.Tx)
	if params.Commit {
		return nil, tx.Commit(ctx)
	}
	return nil, tx.Rollback(ctx)
}

type releaseParams struct {
	Name string `json:"name"`
}

func (a *adapter) release(_ context.Context, params *releaseParams) (any, error) {
	a.barriers.release(params.Name)
	return nil, nil
}
