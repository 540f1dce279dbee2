"""Hooks and middleware around work, in River's order."""

import pytest

from riverqueue import EventKind, Job, JobCancel, Worker, client_from_context, record_output, work_context
from riverqueue.errors import ConfigurationError


class Layer:
    def __init__(self, name, log):
        self.name, self.log = name, log

    async def work(self, job, inner):
        self.log.append(f"{self.name} in")
        await inner()
        self.log.append(f"{self.name} out")


class Hook:
    def __init__(self, name, log):
        self.name, self.log = name, log

    def work_begin(self, job):
        self.log.append(f"{self.name} begin")

    async def work_end(self, job, error):
        self.log.append(f"{self.name} end {error}")
        return error


async def test_the_order(scene, workers):
    log = []

    class JobWorker(Worker[dict]):
        kind = "job"

        def middleware(self, job):
            return [Layer("worker's", log)]

        async def work(self, job: Job[dict]):
            log.append("work")

    workers.add(JobWorker())
    plugin = Layer("plugin", log)
    plugin.work_begin = Hook("plugin", log).work_begin
    options = {"plugins": [plugin], "middleware": [Layer("middleware", log)], "hooks": [Hook("hook", log)]}
    await scene.work_one(**options)
    assert log == [
        "worker's in",
        "plugin in",
        "middleware in",
        "plugin begin",
        "hook begin",
        "work",
        "hook end None",
        "middleware out",
        "plugin out",
        "worker's out",
    ]


async def test_a_hook_may_refuse_before_the_work(scene, register):
    @register
    async def work(job):
        raise AssertionError("not called")

    class Refusing:
        def work_begin(self, job):
            raise JobCancel("not on Sundays")

        def work_end(self, job, error):
            raise AssertionError("not called")

    event = await scene.work_one(hooks=[Refusing()])
    assert (event.kind, event.job.errors[0].error) == (EventKind.JOB_CANCELLED, "JobCancelError: not on Sundays")


async def test_hooks_hand_the_error_on(scene, register):
    @register
    async def work(job):
        raise ValueError("first")

    class Changing:
        def work_end(self, job, error):
            return ValueError(f"{error}, second")

    class Forgiving:
        def work_end(self, job, error):
            assert str(error) == "first, second"

    event = await scene.work_one(hooks=[Changing(), Forgiving()])
    assert event.kind is EventKind.JOB_COMPLETED


async def test_middleware_sees_and_changes_the_outcome(scene, register):
    @register
    async def work(job):
        raise ValueError("no")

    class Forgiving:
        async def work(self, job, inner):
            with pytest.raises(ValueError, match="no"):
                await inner()
            record_output(client_from_context().id)

    event = await scene.work_one(middleware=[Forgiving()])
    assert (event.kind, event.job.output) == (EventKind.JOB_COMPLETED, event.job.attempted_by[0])


def test_outside_of_a_worker_there_is_no_context():
    for call in (work_context, client_from_context, lambda: record_output(1)):
        with pytest.raises(ConfigurationError, match="inside a worker"):
            call()
