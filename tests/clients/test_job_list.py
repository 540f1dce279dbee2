"""Any listing, page by page, is what sorting all jobs would give."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from riverqueue import Client, JobListParams, JobState
from riverqueue.jobs import FINALIZED_STATES
from riverqueue_psycopg import Driver

START = datetime(2026, 1, 2, tzinfo=UTC)
STATES = list(JobState)
ONCE = [HealthCheck.function_scoped_fixture]  # the jobs are only read

#: Seventy jobs in all states, of few times so that many are equal, some running ones without a time.
FILL = """
INSERT INTO river_job (state, args, kind, max_attempts, queue, scheduled_at, attempted_at, finalized_at)
SELECT
    state, '{}', 'sort', 1, 'q' || n %% 2,
    start + n * 7 %% 4 * interval '1 s',
    CASE WHEN n %% 3 > 0 THEN start + n * 5 %% 4 * interval '1.000001 s' END,
    CASE WHEN state IN ('cancelled', 'completed', 'discarded') THEN start + n * 11 %% 3 * interval '1 us' END
FROM generate_series(0, 69) n,
    LATERAL (SELECT %s::timestamptz AS start, (enum_range(NULL::river_job_state))[1 + n %% 8] AS state) AS job
"""

PARAMS = st.builds(
    JobListParams,
    order_by=st.sampled_from(["id", "scheduled_at", "time"]),
    descending=st.booleans(),
    first=st.integers(1, 80),
    states=st.lists(st.sampled_from(STATES), max_size=4),
    queues=st.sampled_from([(), ("q1",), ("q0", "q1")]),
) | st.builds(
    JobListParams,
    order_by=st.just("finalized_at"),
    descending=st.booleans(),
    first=st.integers(1, 80),
    states=st.lists(st.sampled_from(FINALIZED_STATES), max_size=3),
)


@pytest.fixture
def client(database_url):
    with psycopg.connect(database_url) as connection:
        connection.execute(FILL, [START])
    with Driver(database_url) as driver:
        yield Client(driver)


def expected(every, params):
    """The ids of a listing, sorted here: a job without a time comes after all others."""
    never = START + timedelta(days=1)
    wanted = [
        job for job in every if job.state in (params.states or STATES) and job.queue in (params.queues or ("q0", "q1"))
    ]

    def place(job):
        return (getattr(job, params.time_column) or never if params.time_column else never, job.id)

    return [job.id for job in sorted(wanted, key=place, reverse=params.descending)]


@settings(suppress_health_check=ONCE, deadline=None, max_examples=150)
@given(params=PARAMS)
def test_pages_together_are_the_listing(client, params):
    every = client.job_list(JobListParams(first=100)).jobs
    assert len(every) == 70
    assert [job.id for job in client.job_list_all(params)] == expected(every, params)


@settings(suppress_health_check=ONCE, deadline=None, max_examples=50)
@given(params=PARAMS)
def test_after_a_job_and_after_its_cursor_are_the_same(client, params):
    first = client.job_list(replace(params, first=1))
    if first.last_cursor:
        after = [replace(params, after=place) for place in (first.jobs[0], first.last_cursor, str(first.last_cursor))]
        pages = [client.job_list(each) for each in after]
        assert pages[0] == pages[1] == pages[2]
    else:
        assert first.jobs == []


def test_numbers_of_any_size_are_read(client, database_url):
    digits = "1" * 5000
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE river_job SET args = %s::jsonb WHERE id = 1", [f'{{"n": {digits}, "m": 12}}'])
    job = client.job_get(1)
    assert job.kind == "sort"
    assert (str(job.args["n"]), job.args["m"]) == (digits, 12)
