"""Which option counts: the call's, the args' own, the client's, River's (in this order)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from riverqueue import Client, InsertManyParams, InsertOpts, JobState, UniqueOpts

LATER = datetime(2030, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


class Args:
    kind = "own_opts"

    def __init__(self, opts: InsertOpts | None = None) -> None:
        self.opts = opts

    def to_json(self) -> str:
        return "{}"

    def insert_opts(self) -> InsertOpts:
        return self.opts or InsertOpts()


def test_rivers_defaults(driver):
    job = Client(driver).insert(Args()).job
    assert (job.max_attempts, job.priority, job.queue, job.state) == (25, 1, "default", JobState.AVAILABLE)
    assert (job.tags, job.metadata, job.args, job.errors) == ([], {}, {}, [])
    assert (job.attempt, job.attempted_at, job.attempted_by, job.finalized_at) == (0, None, [], None)
    assert (job.unique_key, job.unique_states, job.output) == (None, [], None)
    assert job.created_at == job.scheduled_at
    assert abs(datetime.now(UTC) - job.created_at) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("name", "own", "call", "river"),
    [
        ("max_attempts", 3, 7, 25),
        ("priority", 2, 4, 1),
        ("queue", "own", "call", "default"),
        ("tags", ["own"], ["call"], []),
    ],
)
def test_the_calls_option_comes_first_then_the_args_own(driver, name, own, call, river):
    client = Client(driver)
    by_args, by_call = InsertOpts(**{name: own}), InsertOpts(**{name: call})
    assert getattr(client.insert(Args()).job, name) == river
    assert getattr(client.insert(Args(by_args)).job, name) == own
    assert getattr(client.insert(Args(by_args), by_call).job, name) == call
    assert getattr(client.insert(Args(), by_call).job, name) == call


def test_the_clients_max_attempts_comes_before_rivers(driver):
    client = Client(driver, max_attempts=5)
    assert client.insert(Args()).job.max_attempts == 5
    assert client.insert(Args(InsertOpts(max_attempts=3))).job.max_attempts == 3


def test_no_tags_replace_the_args_own(driver):
    assert Client(driver).insert(Args(InsertOpts(tags=["own"])), InsertOpts(tags=[])).job.tags == []


def test_pending_and_metadata_are_read_from_the_call_only(driver):
    client = Client(driver)
    opts = InsertOpts(pending=True, metadata={"a": 1})
    job = client.insert(Args(opts)).job
    assert (job.state, job.metadata) == (JobState.AVAILABLE, {})
    job = client.insert(Args(), opts).job
    assert (job.state, job.metadata) == (JobState.PENDING, {"a": 1})


def test_scheduled_even_in_the_past(driver):
    client = Client(driver)
    for time in (LATER, LATER - timedelta(days=10_000), LATER.astimezone(timezone(timedelta(hours=-5)))):
        job = client.insert(Args(InsertOpts(scheduled_at=time))).job
        assert (job.state, job.scheduled_at) == (JobState.SCHEDULED, time)
        assert job.scheduled_at.tzinfo is UTC


def test_pending_wins_over_scheduled_and_keeps_its_time(driver):
    job = Client(driver).insert(Args(), InsertOpts(pending=True, scheduled_at=LATER)).job
    assert (job.state, job.scheduled_at) == (JobState.PENDING, LATER)


def test_metadata_as_text_keeps_its_numbers(driver):
    job = Client(driver).insert(Args(), InsertOpts(metadata='{"big": 12345678901234567890123}')).job
    assert job.metadata == {"big": 12345678901234567890123}


def test_unique_options_of_the_call_replace_the_args_own_whole(driver):
    client = Client(driver)
    own = Args(InsertOpts(unique_opts=UniqueOpts(by_queue=True)))
    first = client.insert(own)
    assert client.insert(own) == (first.job, True)
    assert not client.insert(own, InsertOpts(unique_opts=UniqueOpts(by_period=3600))).unique_skipped_as_duplicated
    assert client.insert(own, InsertOpts(unique_opts=UniqueOpts())).unique_skipped_as_duplicated, "empty is inherit"


def test_unique_enforcement_can_be_disabled_for_tests(driver):
    client = Client(driver, disable_unique_enforcement=True)
    opts = InsertOpts(unique_opts=UniqueOpts(by_queue=True))
    assert [
        result.unique_skipped_as_duplicated for result in client.insert_many([InsertManyParams(Args(), opts)] * 2)
    ] == [
        False,
        False,
    ]


def test_a_repeated_key_is_a_duplicate_or_on_request_refused(driver):
    batch = [InsertManyParams(Args(), InsertOpts(unique_opts=UniqueOpts(by_queue=True)))] * 2
    with pytest.raises(ValueError, match="same unique key"):
        Client(driver, refuse_repeated_unique_keys=True).insert_many(batch)
    first, second = Client(driver).insert_many(batch)
    assert (first.unique_skipped_as_duplicated, second.unique_skipped_as_duplicated) == (False, True)
    assert first.job == second.job


def test_limits_count_bytes_and_are_inclusive(driver, connection):
    client = Client(driver)
    opts = InsertOpts(queue="q" * 64, tags=["t" * 255, "a-b", "A_1"], priority=4, max_attempts=32_767)
    job = client.insert(Args(), opts).job
    assert (job.queue, job.tags, job.priority, job.max_attempts) == (opts.queue, opts.tags, 4, 32_767)
    assert client.insert(Args(), InsertOpts(queue="a|b")).job.queue == "a|b"
