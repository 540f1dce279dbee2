"""Work in steps, which a later attempt does not do again."""

import asyncio
from datetime import timedelta

import pytest

from riverqueue import EventKind, InsertOpts, ResumableError, resumable_step, resumable_step_cursor, set_cursor


class Steps:
    """Notes which steps are done; the named ones fail once."""

    def __init__(self, *failing):
        self.failing = list(failing)
        self.done = []

    def do(self, name, cursor=None):
        self.done.append(name if cursor is None else f"{name}:{cursor}")
        if name in self.failing:
            self.failing.remove(name)
            raise ValueError(name)


async def until_completed(scene, **opts):
    """Work a job until it is completed, and return how its attempts ended."""
    async with scene.working(fetch_poll_interval=timedelta(milliseconds=100)) as (client, events):
        await scene.insert(**opts)
        found = []
        while not found or found[-1].kind is not EventKind.JOB_COMPLETED:
            found.append(await events.get())
            if found[-1].kind is not EventKind.JOB_COMPLETED:
                await client.job_retry(found[-1].job.id)
        return found


@pytest.fixture(params=["coroutine", "function"])
def worked(request, workers):
    """Register a worker made of steps, of either colour."""

    def register(body):
        @workers.work("job")
        async def coroutine(job):
            for name, cursor in body:
                if cursor:
                    await resumable_step_cursor(name, lambda at, name=name, cursor=cursor: awaited(cursor, name, at))
                else:
                    await resumable_step(name, lambda name=name: awaited(steps_of[0].do, name))

        @workers.work("other")
        def function(job):
            for name, cursor in body:
                if cursor:
                    resumable_step_cursor(name, lambda at, name=name, cursor=cursor: cursor(name, at))
                else:
                    resumable_step(name, lambda name=name: steps_of[0].do(name))

        return "job" if request.param == "coroutine" else "other"

    steps_of = [None]
    register.steps = lambda steps: steps_of.__setitem__(0, steps)
    return register


async def awaited(function, *arguments):
    await asyncio.sleep(0)
    function(*arguments)


async def test_the_next_attempt_goes_on(scene, worked):
    steps = Steps("two", "three")
    worked.steps(steps)
    kind = worked([("one", None), ("two", None), ("three", None)])
    attempts = await until_completed(scene, kind=kind)
    assert steps.done == ["one", "two", "two", "three", "three"]
    assert [event.job.metadata.get("river:resumable_step") for event in attempts] == ["one", "two", "two"]


async def test_a_step_goes_on_in_the_middle(scene, worked):
    steps = Steps("fail")

    def import_rows(name, at):
        for row in range(at or 0, 3):
            steps.do(f"row{row}")
            set_cursor(row + 1)
            if row == 1:
                steps.do("fail")

    worked.steps(steps)
    kind = worked([("first", None), ("rows", import_rows)])
    attempts = await until_completed(scene, kind=kind)
    assert steps.done == ["first", "row0", "row1", "fail", "row2"]
    assert attempts[0].job.metadata == {"river:resumable_step": "first", "river:resumable_cursor": {"rows": 2}}
    assert attempts[1].job.metadata["river:resumable_cursor"] == {"rows": 2}  # it did not fail: nothing new is kept


async def test_a_cursor_of_the_first_step_is_kept(scene, worked):
    steps = Steps("fail")

    def rows(name, at):
        steps.do("rows", at or "begin")
        set_cursor({"page": 7})
        steps.do("fail")

    worked.steps(steps)
    await until_completed(scene, kind=worked([("rows", rows)]))
    assert steps.done == ["rows:begin", "fail", "rows:{'page': 7}", "fail"]


async def fails(scene, register, body, message, **opts):
    @register
    async def work(job):
        await body()

    event = await scene.work_one(opts=InsertOpts(**opts))
    assert event.kind is EventKind.JOB_FAILED
    assert message in event.job.errors[0].error


async def nothing(*_):
    pass


async def test_steps_have_different_names(scene, register):
    async def body():
        await resumable_step("one", nothing)
        await resumable_step("one", nothing)

    await fails(scene, register, body, 'river: duplicate resumable step name "one"')


async def test_steps_do_not_contain_each_other(scene, register):
    async def outer():
        await resumable_step("inner", nothing)

    async def body():
        await resumable_step("outer", outer)

    await fails(scene, register, body, "river: resumable steps cannot be nested")


async def test_a_step_that_is_no_more(scene, register):
    async def body():
        await resumable_step("one", nothing)

    metadata = {"river:resumable_step": "former"}
    await fails(scene, register, body, 'river: resumable step "former" not found in Worker', metadata=metadata)


async def test_a_cursor_whose_step_is_no_more(scene, register):
    metadata = {"river:resumable_cursor": {"rows": 1}}
    await fails(scene, register, nothing, 'resumable cursor step "rows" not found in Worker', metadata=metadata)


async def test_a_cursor_needs_a_cursor_step(scene, register):
    async def body():
        await resumable_step("rows", nothing)

    metadata = {"river:resumable_cursor": {"rows": 1}}
    await fails(scene, register, body, 'resumable cursor step "rows" requires a cursor step', metadata=metadata)


async def test_a_cursor_outside_of_a_step(scene, register):
    async def body():
        with pytest.raises(ResumableError):
            set_cursor(1)
        raise ValueError("as it should be")

    await fails(scene, register, body, "as it should be")
