"""Plain functions, in threads beside the loop."""

import asyncio
import contextvars
import threading
import time
from datetime import timedelta

import pytest

from riverqueue import EventKind, work_context
from riverqueue.runtime.threads import Threads


def of_river():
    return [thread for thread in threading.enumerate() if thread.name.startswith("riverqueue-")]


async def test_a_thread_that_computes_holds_nothing_up(scene, workers):
    """Its time-out is noticed, others are worked, and what it is told from outside arrives."""
    stopped = threading.Event()

    @workers.work("job", timeout=timedelta(milliseconds=200))
    def compute(job):
        while not work_context().cancelled:
            sum(range(1000))
        stopped.set()
        raise TimeoutError("saw it")

    @workers.work("quick")
    async def quick(job):
        await asyncio.sleep(0.01)

    async with scene.working() as (_, events):
        await scene.insert()
        await scene.insert(kind="quick")
        first, second = await events.get(), await events.get()
    assert (first.job.kind, first.kind) == ("quick", EventKind.JOB_COMPLETED)
    assert stopped.is_set()
    assert (second.kind, second.job.errors[0].error) == (EventKind.JOB_FAILED, "saw it")


async def test_as_many_at_once_as_there_are_slots(scene, register):
    together = threading.Barrier(10)
    register(lambda job: together.wait(10) and None)
    async with scene.working(queues={"default": 10}) as (_, events):
        for _ in range(10):
            await scene.insert()
        assert {(await events.get()).kind for _ in range(10)} == {EventKind.JOB_COMPLETED}
        assert len(of_river()) == 10
    for thread in of_river():
        thread.join(5)
    assert of_river() == []


async def test_a_function_of_no_use_to_a_future(scene, register):
    @register
    def work(job):
        raise StopIteration("end")

    event = await scene.work_one()
    assert (event.kind, event.job.errors[0].error) == (EventKind.JOB_FAILED, "the worker raised StopIteration: end")


@pytest.fixture
async def threads():
    threads = Threads(asyncio.get_running_loop(), "test")
    yield threads
    threads.close()


async def test_results_and_errors_arrive(threads):
    def fail():
        raise KeyError("x")

    assert await asyncio.gather(*[threads.run(lambda n=n: n * n) for n in range(50)]) == [n * n for n in range(50)]
    with pytest.raises(KeyError, match="x"):
        await threads.run(fail)


async def test_a_cancelled_wait_goes_on_to_the_end(threads):
    begun, may_end = threading.Event(), threading.Event()

    def work():
        begun.set()
        may_end.wait(10)
        return "done"

    task = asyncio.create_task(threads.run(work))
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    may_end.set()
    assert await task == "done"


async def test_idle_threads_are_used_again(threads):
    names = {await threads.run(lambda: threading.current_thread().name) for _ in range(20)}
    assert names == {"test-1"}


async def test_what_a_function_held_is_let_go(threads):
    class Large:
        pass

    import gc
    import weakref

    large = Large()
    seen = weakref.ref(large)
    await threads.run(lambda large=large: None)
    del large
    until = time.monotonic() + 5
    while seen() is not None and time.monotonic() < until:
        gc.collect()
        await asyncio.sleep(0)
    assert seen() is None


async def test_context_variables_are_those_of_the_job(scene, register):
    variable = contextvars.ContextVar("variable", default="unset")
    seen = []

    class Setting:
        async def work(self, job, inner):
            variable.set("of the job")
            await inner()

    register(lambda job: seen.append(variable.get()))
    await scene.work_one(middleware=[Setting()])
    assert (seen, variable.get()) == (["of the job"], "unset")
