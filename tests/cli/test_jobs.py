import json
from collections.abc import Callable

import psycopg
import pytest

from riverqueue.cli import jobs
from riverqueue.cli.settings import Settings
from tests.cli.conftest import CommandLine

Insert = Callable[..., int]

ERROR = '{"at": "2030-01-01T00:00:00.5Z", "attempt": 1, "error": "boom", "trace": "line 1\\nline 2"}'


def ids(result) -> list[int]:
    """Return the ids that `jobs list --json` prints."""
    return [json.loads(line)["id"] for line in result.stdout.splitlines()]


def test_a_list(cli: CommandLine, insert: Insert):
    insert("ship", '{"order_id": 1, "note": "a\\tb"}', "--scheduled-at", "2030-01-31T09:00:00Z")
    assert cli("jobs", "list").stdout == (
        "id\tkind\tqueue\tstate\tpriority\tattempt\ttime\targs\terror\n"
        '1\tship\tdefault\tscheduled\t1\t0/25\t2030-01-31T09:00:00Z\t{"note": "a\\tb", "order_id": 1}\t\n'
    )


def test_an_empty_list(cli: CommandLine):
    assert cli("jobs", "list").output.count("\n") == 1
    assert cli("jobs", "list", "--json").output == ""


@pytest.mark.parametrize(
    ("columns", "time"),
    [
        ({}, "2030-01-01T00:00:00Z"),
        ({"state": "running", "attempted_at": "2031-01-01T00:00:00Z"}, "2031-01-01T00:00:00Z"),
        ({"state": "retryable", "attempted_at": "2031-01-01T00:00:00Z"}, "2030-01-01T00:00:00Z"),
        ({"state": "completed", "finalized_at": "2032-01-01T00:00:00Z"}, "2032-01-01T00:00:00Z"),
        ({"state": "running"}, "2030-01-01T00:00:00Z"),
    ],
)
def test_the_time_is_the_states(cli: CommandLine, insert: Insert, columns: dict[str, str], time: str):
    job_id = insert("ship", "{}", "--scheduled-at", "2030-01-01T00:00:00Z")
    settings = ", ".join(f"{name} = '{value}'" for name, value in columns.items())
    if settings:
        cli.sql(f"UPDATE river_job SET {settings} WHERE id = {job_id}")
    assert cli("jobs", "list").stdout.splitlines()[1].split("\t")[6] == time


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--state", "scheduled"], [2]),
        (["--state", "scheduled", "--state", "pending"], [2, 3]),
        (["--queue", "mail"], [3]),
        (["--queue", "mail", "--queue", "default"], [1, 2, 3]),
        (["--kind", "send"], [3]),
        (["--kind", "send", "--queue", "default"], []),
        (["--priority", "2", "--priority", "3"], [2]),
        (["--id", "1", "--id", "3", "--id", "99"], [1, 3]),
        (["--tag", "red"], [1, 2]),
        (["--tag", "red", "--tag", "blue"], [2]),
        (["--any-tag", "blue", "--any-tag", "green"], [2, 3]),
        (["--metadata", '{"customer": 7}'], [3]),
        (["--desc"], [3, 2, 1]),
        (["--order-by", "scheduled_at", "--desc"], [2, 3, 1]),
        (["--order-by", "time", "--state", "scheduled"], [2]),
        (["--limit", "2"], [1, 2]),
        (["--all"], [1, 2, 3]),
        (["--all", "--desc"], [3, 2, 1]),
    ],
)
def test_filters(cli: CommandLine, insert: Insert, options: list[str], found: list[int]):
    insert("ship", "{}", "--tag", "red")
    insert("ship", "{}", "--tag", "red,blue", "--priority", "2", "--scheduled-at", "2030-01-01T00:00:00Z")
    insert("send", "{}", "--tag", "green", "--queue", "mail", "--metadata", '{"customer": 7, "b": 1}', "--pending")
    assert ids(cli("jobs", "list", "--json", *options)) == found


def test_pages(cli: CommandLine, insert: Insert):
    for _ in range(5):
        insert()
    seen, options = [], ["--limit", "2"]
    while options:
        result = cli("jobs", "list", "--json", *options)
        seen.append(ids(result))
        said, _, cursor = result.stderr.partition("--after ")
        assert said == ("There may be more. The next page: " if cursor else "")
        options = ["--limit", "2", "--after", cursor.strip()] if cursor else []
    assert seen == [[1, 2], [3, 4], [5]]


def test_all_pages(cli: CommandLine, insert: Insert, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "BATCH", 2)
    for _ in range(5):
        insert()
    result = cli("jobs", "list", "--json", "--all")
    assert ids(result) == [1, 2, 3, 4, 5]
    assert result.stderr == ""
    assert len(cli("jobs", "list", "--all").stdout.splitlines()) == 6


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--state", "done"], "Invalid value for '--state': 'done' is not one of 'available'"),
        (["--limit", "0"], "0 is not in the range 1<=x<=10000"),
        (["--limit", "10001"], "10001 is not in the range 1<=x<=10000"),
        (["--all", "--limit", "5"], "--all lists all: leave out --limit"),
        (["--after", "nonsense"], "it is no cursor: give the one that the page before named"),
        (["--metadata", "nonsense"], "metadata"),
        (["--priority", "9"], "a priority is an integer from 1 (first) to 4 (last), not 9"),
        (["--id", "99999999999999999999"], "a job's id is an integer of 64 bits"),
        (["--order-by", "finalized_at", "--state", "running"], "a list by finalized_at has finalized jobs only"),
        (["--watch", "0"], "0.0 is not in the range x>0"),
        (["--stat", "x"], "No such option"),
        (["1"], "unexpected extra argument"),
    ],
)
def test_lists_that_cannot_be(cli: CommandLine, options: list[str], error: str):
    result = cli("jobs", "list", *options, code=2)
    assert error in result.stderr
    assert result.stdout == ""


def test_a_cursor_of_another_list(cli: CommandLine, insert: Insert):
    insert()
    cursor = cli("jobs", "list", "--limit", 1).stderr.split()[-1]
    error = cli("jobs", "list", "--after", cursor, "--order-by", "scheduled_at", code=2).stderr
    assert "the cursor is of a listing by 'id', and this is one by 'scheduled_at'" in error


def test_everything_about_a_job(cli: CommandLine, insert: Insert):
    insert("ship", '{"order_id": 1}', "--unique-by-args", "--tag", "red,blue", "--metadata", '{"output": [1]}')
    cli.sql(
        f"UPDATE river_job SET attempt = 1, attempted_by = '{{me}}', attempted_at = '2030-01-01T00:00:00.25Z', "
        f"created_at = '2029-01-01', scheduled_at = '2029-01-02', errors = ARRAY['{ERROR}'::jsonb], unique_key = 'abc'"
    )
    assert cli("jobs", "get", 1).stdout == (
        """\
id            1
kind          ship
queue         default
state         available
priority      1
attempt       1 of 25
tags          red, blue
created_at    2029-01-01T00:00:00Z
scheduled_at  2029-01-02T00:00:00Z
attempted_at  2030-01-01T00:00:00.250000Z
attempted_by  me
unique_key    616263
unique_states available, completed, pending, retryable, running, scheduled
args
  {
    "order_id": 1
  }
metadata
  {
    "output": [
      1
    ]
  }
output
  [
    1
  ]
error of attempt 1, 2030-01-01T00:00:00Z
  boom
  line 1
  line 2
"""
    )
    assert json.loads(cli("jobs", "get", 1, "--json").stdout) == {
        "id": 1,
        "kind": "ship",
        "queue": "default",
        "state": "available",
        "priority": 1,
        "attempt": 1,
        "max_attempts": 25,
        "attempted_at": "2030-01-01T00:00:00.250000Z",
        "attempted_by": ["me"],
        "created_at": "2029-01-01T00:00:00Z",
        "scheduled_at": "2029-01-02T00:00:00Z",
        "finalized_at": None,
        "tags": ["red", "blue"],
        "args": {"order_id": 1},
        "metadata": {"output": [1]},
        "errors": [{"at": "2030-01-01T00:00:00.500000Z", "attempt": 1, "error": "boom", "trace": "line 1\nline 2"}],
        "unique_key": "616263",
        "unique_states": ["available", "completed", "pending", "retryable", "running", "scheduled"],
    }


def test_a_list_shows_the_last_error(cli: CommandLine, insert: Insert):
    insert(errors=[psycopg.types.json.Jsonb(json.loads(ERROR))])
    assert cli("jobs", "list").stdout.splitlines()[1].endswith("\tboom")


def test_terminals_are_not_obeyed(cli: CommandLine, insert: Insert):
    """What a job's args or errors hold must not reach a terminal that would act on it."""
    error = json.loads(ERROR) | {"error": "\x1b]0;title\x07", "trace": "\x9b31m\x7f[bold]"}
    insert("ship", '{"a": "\\u001b[31m\\u007f\\u009b"}', errors=[psycopg.types.json.Jsonb(error)])
    terminal = Settings(terminal=True)
    results = [
        cli("jobs", "get", 1),
        cli("jobs", "list"),
        cli("jobs", "get", 1, "--json"),
        cli("jobs", "list", "--json"),
    ]
    drawn = cli("jobs", "list", settings=terminal, env={"DATABASE_URL": cli.database_url, "COLUMNS": "300"}).stdout
    for text in (*(result.stdout for result in results), drawn.replace("\x1b[1m", "").replace("\x1b[0m", "")):
        assert not {*text} & {"\x1b", "\x07", "\x7f", "\x9b"}
    assert json.loads(results[2].stdout)["args"] == {"a": "\x1b[31m\x7f\x9b"}
    assert "[bold]" in results[0].stdout


def test_no_such_job(cli: CommandLine):
    error = "Error: job 7 is not found: it is deleted, or in a transaction that has not committed\n"
    for command in ("get", "cancel", "retry", "delete"):
        result = cli("jobs", command, 7, code=1)
        assert (result.stdout, result.stderr) == ("", error)
    assert "'x' is not a valid integer" in cli("jobs", "get", "x", code=2).stderr
    assert "Missing argument 'ID...'" in cli("jobs", "cancel", code=2).stderr


def test_cancel(cli: CommandLine, insert: Insert):
    insert()
    insert(state="running")
    insert()
    cli.sql("UPDATE river_job SET state = 'completed', finalized_at = now() WHERE id = 3")
    result = cli("jobs", "cancel", 1, 99, 2, 3, code=1)
    assert result.stdout == "job 1: cancelled\njob 2: running, asked to stop\njob 3: completed already\n"
    assert result.stderr.startswith("Error: job 99 is not found")
    states = "SELECT state::text, metadata ? 'cancel_attempted_at' FROM river_job ORDER BY id"
    assert cli.sql(states) == [("cancelled", True), ("running", True), ("completed", False)]


def test_retry(cli: CommandLine, insert: Insert):
    insert("ship", "{}", "--scheduled-at", "2030-01-01T00:00:00Z")
    insert(state="running")
    result = cli("jobs", "retry", 1, 2, code=1)
    assert result.stdout == "job 1: available\n"
    assert result.stderr == "Error: job 2 is running: riverqueue jobs cancel 2, and wait until its worker has stopped\n"


def test_retry_where_another_has_taken_the_place(cli: CommandLine, insert: Insert):
    insert("ship", "{}", "--unique-by-args")
    cli("jobs", "cancel", 1)
    insert("ship", "{}", "--unique-by-args")
    insert()
    result = cli("jobs", "retry", 1, 3, code=1)
    assert result.output == "Error: job 1 is unique, and another job has taken its place\njob 3: available\n"


def test_delete(cli: CommandLine, insert: Insert):
    insert()
    insert(state="running")
    result = cli("jobs", "delete", 1, 2, code=1)
    assert result.stdout == "job 1: deleted\n"
    assert result.stderr == "Error: job 2 is running: riverqueue jobs cancel 2, and wait until its worker has stopped\n"
    assert cli.sql("SELECT id FROM river_job") == [(2,)]


def test_json_of_changed_jobs(cli: CommandLine, insert: Insert):
    insert(), insert()
    for command, state in (("cancel", "cancelled"), ("retry", "available"), ("delete", "available")):
        documents = [json.loads(line) for line in cli("jobs", command, 1, 2, "--json").stdout.splitlines()]
        assert [(job["id"], job["state"]) for job in documents] == [(1, state), (2, state)]


def test_what_befalls_all_ends_at_once(cli: CommandLine, insert: Insert):
    cli.sql("ALTER TABLE river_job RENAME COLUMN errors TO failures")
    result = cli("jobs", "cancel", 1, 2, code=4)
    assert result.stderr.count("\n") == 1


@pytest.fixture
def six(insert: Insert) -> None:
    """Three jobs to ship, of which one runs, and three to send."""
    for number in range(6):
        insert("ship" if number % 2 else "send", "{}", **({"state": "running"} if number == 1 else {}))


@pytest.mark.usefixtures("six")
@pytest.mark.parametrize(
    ("options", "said", "left"),
    [
        (["--kind", "send"], "deleted 3 jobs\n", [2, 4, 6]),
        (["--kind", "ship"], "deleted 2 jobs\n", [1, 2, 3, 5]),
        (["--kind", "ship", "--kind", "send"], "deleted 5 jobs\n", [2]),
        (["--kind", "send", "--limit", "1"], "deleted 1 job\n", [2, 3, 4, 5, 6]),
        (["--state", "available", "--limit", "4"], "deleted 4 jobs\n", [2, 6]),
        (["--state", "running"], "deleted 0 jobs\n", [1, 2, 3, 4, 5, 6]),
        (["--queue", "default", "--priority", "1"], "deleted 5 jobs\n", [2]),
    ],
)
def test_delete_by_filters(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, options: list[str], said: str, left: list[int]
):
    monkeypatch.setattr(jobs, "BATCH", 2)
    assert cli("jobs", "delete", *options, "--yes").output == said
    assert [job_id for (job_id,) in cli.sql("SELECT id FROM river_job ORDER BY id")] == left


@pytest.mark.usefixtures("six")
def test_delete_by_filters_as_json(cli: CommandLine):
    assert ids(cli("jobs", "delete", "--kind", "send", "--yes", "--json")) == [1, 3, 5]


@pytest.mark.usefixtures("six")
def test_deleting_by_filters_is_asked_about(cli: CommandLine):
    terminal = Settings(terminal=True)
    words = ["jobs", "delete", "--kind", "send", "--state", "available", "--limit", "2"]
    refused = cli(*words, stdin="n\n", settings=terminal, code=1)
    assert "Delete at most 2 jobs with kinds: send; states: available? [y/N]" in refused.output
    assert cli.sql("SELECT count(*) FROM river_job") == [(6,)]
    assert cli(*words, stdin="y\n", settings=terminal).stdout.endswith("deleted 2 jobs\n")
    assert "needs --yes" in cli(*words, code=2).stderr


@pytest.mark.usefixtures("six")
def test_deletes_that_cannot_be(cli: CommandLine):
    for words in ([], ["--yes"], ["1", "--kind", "send"], ["--limit", "5", "--yes"]):
        error = cli("jobs", "delete", *words, code=2).stderr
        assert "give the ids of jobs, or else filters: --state, --queue, --kind, --priority" in error
    assert "--limit goes with filters, not with ids" in cli("jobs", "delete", "1", "--limit", "5", code=2).stderr
    assert cli.sql("SELECT count(*) FROM river_job") == [(6,)]


@pytest.mark.usefixtures("six")
def test_what_is_deleted_is_told_whatever_happens(cli: CommandLine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jobs, "BATCH", 2)
    cli.sql("""CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF OLD.id = 5 THEN RAISE 'not this one'; END IF; RETURN OLD; END $$""")
    cli.sql("CREATE TRIGGER refuse BEFORE DELETE ON river_job FOR EACH ROW EXECUTE FUNCTION refuse()")
    result = cli("jobs", "delete", "--kind", "send", "--yes", code=1)
    assert (result.stdout, result.stderr) == ("deleted 2 jobs\n", "Error: not this one (SQLSTATE P0001)\n")


def test_a_table_on_a_terminal(cli: CommandLine, insert: Insert):
    insert("ship", json.dumps({"note": "x" * 200}))
    settings = Settings(terminal=True)
    env = {"DATABASE_URL": cli.database_url, "NO_COLOR": "1"}
    wide = cli("jobs", "list", settings=settings, env={**env, "COLUMNS": "120"}).stdout.splitlines()
    assert all(len(line.replace("\x1b[1m", "").replace("\x1b[0m", "")) <= 120 for line in wide)
    assert len(wide) == 2
    assert "…" in wide[1]
    assert "error" not in wide[0]
    narrow = cli("jobs", "list", settings=settings, env={**env, "COLUMNS": "80"}).stdout
    assert " 1  ship  default  available         1  0/25     20" in narrow
