import json
from pathlib import Path

import pytest

from tests.cli.conftest import CommandLine


def test_a_job(cli: CommandLine):
    assert (
        cli("insert", "ship_order", '{"order_id": 1}').stdout
        == "inserted job 1: ship_order, queue default, available\n"
    )
    assert cli.sql("SELECT kind, args, state::text FROM river_job") == [("ship_order", {"order_id": 1}, "available")]


def test_every_option(cli: CommandLine):
    cli(
        *("insert", "ship", "{}", "--queue", "mail", "--priority", 3, "--max-attempts", 7),
        *(
            "--scheduled-at",
            "2030-01-31T09:00:00+01:00",
            "--tags",
            "red,blue",
            "--tag",
            "green",
            "--metadata",
            '{"a": 1}',
        ),
    )
    row = "queue, priority, max_attempts, scheduled_at = '2030-01-31T08:00:00Z', tags, metadata, state::text"
    assert cli.sql(f"SELECT {row} FROM river_job") == [
        ("mail", 3, 7, True, ["red", "blue", "green"], {"a": 1}, "scheduled")
    ]


def test_pending(cli: CommandLine):
    assert cli("insert", "ship", "{}", "--pending").stdout.endswith("pending\n")


def test_json(cli: CommandLine):
    job = json.loads(cli("insert", "ship", '{"ü": [1.50, 1e3]}', "--json").stdout)
    assert (job["id"], job["args"], job["unique_skipped_as_duplicated"]) == (1, {"ü": [1.5, 1000]}, False)


def test_args_from_elsewhere(cli: CommandLine, tmp_path: Path):
    cli("insert", "ship", "-", stdin='{"from": "stdin"}\n')
    (tmp_path / "args.json").write_text('{"from": "file"}')
    cli("insert", "ship", f"@{tmp_path / 'args.json'}")
    assert cli.sql("SELECT args->>'from' FROM river_job ORDER BY id") == [("stdin",), ("file",)]


@pytest.mark.parametrize(
    ("options", "same", "other"),
    [
        (["--unique-by-args"], '{"a": 1}', '{"a": 2}'),
        (["--unique-by-arg", "a"], '{"a": 1, "b": 2}', '{"a": 2, "b": 1}'),
        (["--unique-by-args", "--unique-by-period", "24h"], '{"a": 1}', '{"a": 2}'),
        (["--unique-by-args", "--unique-by-queue"], '{"a": 1}', '{"a": 2}'),
        (
            ["--unique-by-args", "--unique-by-state", "available,pending", "--unique-by-state", "running,scheduled"],
            '{"a": 1}',
            '{"a": 2}',
        ),
    ],
)
def test_unique(cli: CommandLine, options: list[str], same: str, other: str):
    assert cli("insert", "ship", '{"a": 1, "b": 1}' if "b" in same else same, *options).stdout.startswith(
        "inserted job 1"
    )
    assert cli("insert", "ship", same, *options).stdout == "not inserted: job 1 is the same (ship, available)\n"
    assert cli("insert", "ship", other, *options).stdout.startswith("inserted job")
    assert json.loads(cli("insert", "ship", same, *options, "--json").stdout)["unique_skipped_as_duplicated"]


def test_a_schema(bare_cli: CommandLine):
    bare_cli.sql("CREATE SCHEMA jobs")
    bare_cli("migrate-up", "--schema", "jobs")
    bare_cli("insert", "ship", "{}", "--schema", "jobs")
    assert bare_cli.sql("SELECT count(*) FROM jobs.river_job") == [(1,)]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["ship", '{"a": 1'], "JSON must be valid JSON: Expecting ',' delimiter: line 1 column 8 (char 7)"),
        (["ship", "[1]"], "Invalid value for JSON: it must be an object, {...}"),
        (["ship", "{}", "--metadata", "[]"], "metadata must be a JSON object"),
        (["ship", "@/nowhere"], "Invalid value for JSON: it cannot be read: [Errno 2] No such file"),
        (["x", "{}"], "kind is invalid: 'x'"),
        (["ship", "{}", "--priority", "5"], "priority must be an integer from 1 (first) to 4 (last), not 5"),
        (["ship", "{}", "--tag", "a b"], "tag is invalid"),
        (["ship", "{}", "--scheduled-at", "tomorrow"], "'tomorrow' is not a time such as 2030-01-31T09:00:00Z"),
        (["ship", "{}", "--scheduled-at", "2030-01-01T00:00:00"], "does not say its time zone"),
        (["ship", "{}", "--unique-by-period", "9" * 30 + "h"], "is too long"),
        (["ship", "{}", "--unique-by-period", "1"], "'1' is not a duration such as 30s, 5m or 1h30m"),
        (["ship", "{}", "--unique-by-state", "done"], "done"),
        (["ship"], "Missing argument 'JSON'"),
    ],
)
def test_what_cannot_be(cli: CommandLine, words: list[str], error: str):
    assert error in cli("insert", *words, code=2).stderr
    assert cli.sql("SELECT count(*) FROM river_job") == [(0,)]
