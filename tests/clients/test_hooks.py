import pytest

import riverqueue_psycopg
from riverqueue import AsyncClient, Client, ConfigurationError, JobState


class Args:
    kind = "hooked"

    def to_json(self):
        return "{}"


class Recorder:
    """A hook and a middleware that write down when they are called."""

    def __init__(self, name, log):
        self.name, self.log = name, log

    def insert_begin(self, params):
        self.log.append(f"hook {self.name} {params.kind}")

    def insert_many(self, jobs, inner):
        self.log.append(f"> {self.name} {len(jobs)}")
        outcome = inner()
        self.log.append(f"< {self.name}")
        return outcome


class AsyncRecorder(Recorder):
    async def insert_begin(self, params):
        super().insert_begin(params)

    async def insert_many(self, jobs, inner):
        self.log.append(f"> {self.name} {len(jobs)}")
        outcome = await inner()
        self.log.append(f"< {self.name}")
        return outcome


EXPECTED = [
    "> plugin 2",
    "> middleware 2",
    "> args-plugin 2",
    *["hook plugin hooked", "hook hook hooked", "hook args-plugin hooked", "hook args-hook hooked"] * 2,
    "< args-plugin",
    "< middleware",
    "< plugin",
]


def own(recorder, log):
    class Own(Args):
        def plugins(self):
            return [recorder("args-plugin", log)]

        def hooks(self):
            return [recorder("args-hook", log)]

    return Own


def options(recorder, log):
    return {
        "plugins": [recorder("plugin", log)],
        "hooks": [recorder("hook", log)],
        "middleware": [recorder("middleware", log)],
    }


def test_the_order_is_rivers(driver):
    log = []
    client = Client(driver, **options(Recorder, log))
    args = own(Recorder, log)
    assert len(client.insert_many([args(), args()])) == 2
    assert log == EXPECTED
    log.clear()
    assert client.insert_many_fast([args(), args()]) == 2
    assert log == EXPECTED


@pytest.mark.parametrize("recorder", [AsyncRecorder, None])
async def test_the_order_is_rivers_on_a_loop(database_url, recorder):
    log = []
    async with riverqueue_psycopg.AsyncDriver(database_url) as driver:
        hooks = options(recorder or AsyncRecorder, log)
        if recorder is None:
            hooks["hooks"] = [Recorder("hook", log)]  # a plain function will do for a hook
        client = AsyncClient(driver, **hooks)
        args = own(AsyncRecorder, log)
        assert len(await client.insert_many([args(), args()])) == 2
    assert log == EXPECTED


def test_a_hook_changes_the_job(driver):
    class Change:
        def insert_begin(self, params):
            params.queue, params.priority, params.state = "changed", 3, JobState.PENDING

    job = Client(driver, hooks=[Change()]).insert(Args()).job
    assert (job.queue, job.priority, job.state) == ("changed", 3, JobState.PENDING)


def test_a_hook_refuses_the_batch(driver, connection):
    class Refuse:
        def insert_begin(self, params):
            raise PermissionError("not today")

    with pytest.raises(PermissionError):
        Client(driver, hooks=[Refuse()]).insert_many([Args(), Args()])
    assert connection.execute("SELECT count(*) FROM river_job").fetchone() == (0,)


def test_middleware_that_fails_afterwards_takes_the_jobs_with_it(driver, connection):
    class Fail:
        def insert_many(self, jobs, inner):
            inner()
            raise RuntimeError("afterwards")

    with pytest.raises(RuntimeError):
        Client(driver, middleware=[Fail()]).insert(Args())
    assert connection.execute("SELECT count(*) FROM river_job").fetchone() == (0,)


def test_coroutines_are_refused_by_the_sync_client(driver):
    with pytest.raises(ConfigurationError, match="AsyncClient"):
        Client(driver, hooks=[AsyncRecorder("x", [])])
    with pytest.raises(ConfigurationError, match="AsyncClient"):
        Client(driver).insert(own(AsyncRecorder, [])())
