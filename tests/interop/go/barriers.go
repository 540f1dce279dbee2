package main

import (
	"context"
	"sync"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivershared/baseservice"
	"github.com/riverqueue/river/rivershared/riverpilot"
)

// barriers are named gates that, once released, stay open.
type barriers struct {
	mu    sync.Mutex
	gates map[string]chan struct{}
}

func newBarriers() *barriers { return &barriers{gates: map[string]chan struct{}{}} }

func (b *barriers) get(name string) chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gates[name] == nil {
		b.gates[name] = make(chan struct{})
	}
	return b.gates[name]
}

func (b *barriers) release(name string) {
	gate := b.get(name)
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-gate:
	default:
		close(gate)
	}
}

// pilotDriver gives a client the pilot below: River's own seam inside of it.
type pilotDriver struct {
	*riverpgxv5.Driver

	pilot riverpilot.Pilot
}

func (*pilotDriver) PluginInit(*baseservice.Archetype) {}
func (d *pilotDriver) PluginPilot() riverpilot.Pilot   { return d.pilot }

// barrierPilot holds the first claim that returned jobs, after its commit.
type barrierPilot struct {
	recordingPilot

	once sync.Once
	wait func()
}

func (p *barrierPilot) JobGetAvailable(
	ctx context.Context, exec riverdriver.Executor, state riverpilot.ProducerState, params *riverdriver.JobGetAvailableParams,
) (*riverdriver.JobGetAvailableResult, error) {
	result, err := p.StandardPilot.JobGetAvailable(ctx, exec, state, params)
	if err == nil && len(result.Jobs) > 0 {
		p.once.Do(p.wait)
	}
	return result, err
}

// recordingPilot notes what the client is told of a queue's metadata, which River itself does nothing with.
type recordingPilot struct {
	riverpilot.StandardPilot

	log *workedLog
}

func (p *recordingPilot) QueueMetadataChanged(
	ctx context.Context, exec riverdriver.Executor, params *riverpilot.QueueMetadataChangedParams,
) error {
	p.log.recordQueue(params)
	return p.StandardPilot.QueueMetadataChanged(ctx, exec, params)
}
