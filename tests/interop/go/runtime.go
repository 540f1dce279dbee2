package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivershared/riverpilot"
	"github.com/riverqueue/river/rivertype"
)

const (
	defaultMaxWorkers = 4
	eventBuffer       = 10_000
	fetchCooldown     = time.Millisecond
	runtimeStopLimit  = 10 * time.Second
)

type startParams struct {
	ClaimBarrier           string   `json:"claim_barrier"`
	ClientID               string   `json:"client_id"`
	ErrorHandlerCancel     bool     `json:"error_handler_cancel"`
	FetchOnlyKnownKinds    bool     `json:"fetch_only_known_kinds"`
	FetchPollIntervalMS    int64    `json:"fetch_poll_interval_ms"`
	JobTimeoutMS           int64    `json:"job_timeout_ms"`
	LeaderElectionDisabled bool     `json:"leader_election_disabled"`
	MaxWorkers             int      `json:"max_workers"`
	PeriodicRunOnStart     bool     `json:"periodic_run_on_start"`
	PeriodicUnique         bool     `json:"periodic_unique"`
	PollOnly               bool     `json:"poll_only"`
	Queues                 []string `json:"queues"`
	RescueAfterMS          int64    `json:"rescue_after_ms"`
	RetryDelayMS           int64    `json:"retry_delay_ms"`
	Schema                 string   `json:"schema"`
	WorkerKinds            []string `json:"worker_kinds"`

	// River's public API sets none of these; known so that they are ignored, not refused.
	Tuning struct {
		ElectIntervalMS     int64 `json:"elect_interval_ms"`
		RescuerIntervalMS   int64 `json:"rescuer_interval_ms"`
		SchedulerIntervalMS int64 `json:"scheduler_interval_ms"`
	} `json:"tuning"`
}

// runtime is the running client and what it saw since its start.
type runtime struct {
	barriers     *barriers
	claimBarrier string
	client       *riverClient

	mu    sync.Mutex
	stats statsResult
}

type statsResult struct {
	CancelledAtStart  int      `json:"cancelled_at_start"`
	ErrorHandlerCalls int      `json:"error_handler_calls"`
	Events            []string `json:"events"`
	PeriodicStarts    int      `json:"periodic_starts"`
}

func (a *adapter) start(ctx context.Context, params *startParams) (any, error) {
	return a.startRecording(ctx, params, nil)
}

// startRecording starts a client that also works jobs of other kinds, only noting what it got.
func (a *adapter) startRecording(ctx context.Context, params *startParams, recordKinds []string) (any, error) {
	if a.runtime != nil {
		return nil, rejected("a client is already running")
	}
	runtime := &runtime{barriers: a.barriers, claimBarrier: params.ClaimBarrier}
	runtime.stats.Events = []string{}
	config, err := runtime.config(params)
	if err != nil {
		return nil, err
	}
	for _, kind := range recordKinds {
		if err := addWorker(config.Workers, rawArgs{kind: kind}, func(context.Context, *river.Job[rawArgs]) error { return nil }); err != nil {
			return nil, err
		}
	}
	log := &workedLog{}
	config.Hooks = append(config.Hooks, river.HookWorkBeginFunc(log.record))

	driver := &pilotDriver{Driver: a.driver, pilot: a.pilot(params.ClaimBarrier, log)}
	if runtime.client, err = river.NewClient(driver, config); err != nil {
		return nil, err
	}
	events, _ := runtime.client.SubscribeConfig(&river.SubscribeConfig{
		ChanSize: eventBuffer,
		Kinds: []river.EventKind{
			river.EventKindJobCancelled, river.EventKindJobCompleted, river.EventKindJobFailed,
			river.EventKindJobSnoozed, river.EventKindQueuePaused, river.EventKindQueueResumed,
		},
	})
	go runtime.collect(events) // ends when the client stops and closes the channel

	// River stops when the context of its start ends, so not that of the request.
	if err := runtime.client.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	a.runtime, a.worked = runtime, log
	return nil, nil
}

func (a *adapter) pilot(claimBarrier string, log *workedLog) riverpilot.Pilot {
	if claimBarrier == "" {
		return &recordingPilot{log: log}
	}
	return &barrierPilot{recordingPilot: recordingPilot{log: log}, wait: func() { <-a.barriers.get(claimBarrier) }}
}

func (r *runtime) config(params *startParams) (*river.Config, error) {
	config := &river.Config{
		FetchCooldown:          fetchCooldown,
		FetchOnlyKnownKinds:    params.FetchOnlyKnownKinds,
		FetchPollInterval:      milliseconds(params.FetchPollIntervalMS),
		ID:                     params.ClientID,
		JobTimeout:             milliseconds(params.JobTimeoutMS),
		LeaderElectionDisabled: params.LeaderElectionDisabled,
		Logger:                 stderrLogger(),
		PollOnly:               params.PollOnly,
		Queues:                 map[string]river.QueueConfig{},
		RescueStuckJobsAfter:   milliseconds(params.RescueAfterMS),
		Schema:                 params.Schema,
		TestOnly:               true,
		Workers:                river.NewWorkers(),
	}
	queues := params.Queues
	if len(queues) == 0 {
		queues = []string{river.QueueDefault}
	}
	for _, queue := range queues {
		config.Queues[queue] = river.QueueConfig{MaxWorkers: cmp.Or(params.MaxWorkers, defaultMaxWorkers)}
	}
	if params.RetryDelayMS != 0 {
		config.RetryPolicy = fixedDelay(milliseconds(params.RetryDelayMS))
	}
	if params.ErrorHandlerCancel {
		config.ErrorHandler = &cancellingErrorHandler{runtime: r}
	}
	if params.PeriodicRunOnStart {
		config.PeriodicJobs = periodicJobs(params.PeriodicUnique)
		config.Hooks = []rivertype.Hook{river.HookPeriodicJobsStartFunc(r.periodicStart)}
	}
	kinds := params.WorkerKinds
	if len(kinds) == 0 {
		kinds = []string{kindEcho}
	}
	for _, kind := range kinds {
		if !slices.Contains(workerKinds, kind) {
			return nil, invalidParams("unknown worker kind %q", kind)
		}
		if err := addWorker(config.Workers, echoArgs{kind: kind}, r.work); err != nil {
			return nil, err
		}
	}
	return config, nil
}

// addWorker is AddWorkerArgs with the error of two workers of one kind returned.
func addWorker[T river.JobArgs](workers *river.Workers, args T, work func(context.Context, *river.Job[T]) error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("%v", value)
		}
	}()
	river.AddWorkerArgs(workers, args, river.WorkFunc(work))
	return nil
}

func periodicJobs(unique bool) []*river.PeriodicJob {
	job := func(id, message string, uniqueOpts river.UniqueOpts) *river.PeriodicJob {
		construct := func() (river.JobArgs, *river.InsertOpts) {
			return echoArgs{Message: message}, &river.InsertOpts{Metadata: []byte(`{"periodic": true}`), UniqueOpts: uniqueOpts}
		}
		return river.NewPeriodicJob(river.PeriodicInterval(time.Hour), construct, &river.PeriodicJobOpts{ID: id, RunOnStart: true})
	}
	if !unique {
		return []*river.PeriodicJob{job("conformance-periodic", "periodic run on start", river.UniqueOpts{})}
	}
	return []*river.PeriodicJob{
		job("conformance-periodic", "periodic run on start", river.UniqueOpts{ByArgs: true, ByQueue: true}),
		job("conformance-periodic-marker", "periodic marker", river.UniqueOpts{}),
	}
}

func (r *runtime) periodicStart(context.Context, *rivertype.HookPeriodicJobsStartParams) error {
	r.count(func(stats *statsResult) { stats.PeriodicStarts++ })
	return nil
}

func (r *runtime) collect(events <-chan *river.Event) {
	for event := range events {
		r.count(func(stats *statsResult) { stats.Events = append(stats.Events, string(event.Kind)) })
	}
}

func (r *runtime) count(add func(*statsResult)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	add(&r.stats)
}

func (r *runtime) stop(ctx context.Context, cancel bool) error {
	if r.claimBarrier != "" {
		r.barriers.release(r.claimBarrier)
	}
	if cancel {
		return r.client.StopAndCancel(ctx)
	}
	return r.client.Stop(ctx)
}

type stopParams struct {
	Cancel bool `json:"cancel"`
}

func (a *adapter) stop(ctx context.Context, params *stopParams) (any, error) {
	if a.runtime == nil {
		return nil, rejected("no client is running")
	}
	ctx, cancel := context.WithTimeout(ctx, runtimeStopLimit)
	defer cancel()
	if err := a.runtime.stop(ctx, params.Cancel); err != nil {
		return nil, err
	}
	a.runtime = nil
	return nil, nil
}

func (a *adapter) stats(context.Context, *noParams) (any, error) {
	if a.runtime == nil {
		return nil, rejected("no client is running")
	}
	var stats statsResult
	a.runtime.count(func(current *statsResult) {
		stats = *current
		stats.Events = slices.Clone(current.Events)
	})
	return stats, nil
}

type fixedDelay time.Duration

func (d fixedDelay) NextRetry(*rivertype.JobRow) time.Time { return time.Now().Add(time.Duration(d)) }

type cancellingErrorHandler struct{ runtime *runtime }

func (h *cancellingErrorHandler) HandleError(context.Context, *rivertype.JobRow, error) *river.ErrorHandlerResult {
	return h.cancel()
}

func (h *cancellingErrorHandler) HandlePanic(context.Context, *rivertype.JobRow, any, string) *river.ErrorHandlerResult {
	return h.cancel()
}

func (h *cancellingErrorHandler) cancel() *river.ErrorHandlerResult {
	h.runtime.count(func(stats *statsResult) { stats.ErrorHandlerCalls++ })
	return &river.ErrorHandlerResult{SetCancelled: true}
}
