"""The Go program's own commands, which demonstrations, benchmarks and other tests call."""

import json
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

MIGRATIONS = 8


def run(program: Path, command: str, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = [str(program), *command.split(), "--database-url", url, *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_migrations(go_program: Path, empty_database_url: str) -> None:
    first = run(go_program, "migrate-up", empty_database_url, "--max-steps", "1").stdout
    assert first == "applied migration 001 [up] create river migration\n"
    unfinished = run(go_program, "validate", empty_database_url)
    assert (unfinished.returncode, unfinished.stdout) == (1, "")
    assert "[2 3 4 5 6 7 8]" in unfinished.stderr
    assert len(run(go_program, "migrate-up", empty_database_url).stdout.splitlines()) == MIGRATIONS - 1
    assert run(go_program, "migrate-up", empty_database_url).stdout == "no migrations to apply\n"
    assert run(go_program, "validate", empty_database_url).returncode == 0
    assert run(go_program, "migrate-down", empty_database_url, "--target-version", "6").stdout.count("[down]") == 2
    listed = [line.split()[:2] for line in run(go_program, "migrate-list", empty_database_url).stdout.splitlines()]
    assert listed == [[f"{number:03}", "applied" if number < 7 else "unapplied"] for number in range(1, MIGRATIONS + 1)]


def test_work_stops_when_nothing_is_left(go_program: Path, database_url: str, db: psycopg.Connection) -> None:
    for kind in ("sort", "mail", "other"):
        db.execute("INSERT INTO river_job (args, kind, max_attempts) VALUES ('{\"a\": [1]}', %s, 25)", [kind])
    done = run(go_program, "work", database_url, "--kinds", "sort,mail", "--until-idle")
    lines = {line.split(maxsplit=3)[3] for line in done.stdout.splitlines()}
    assert (done.returncode, lines) == (0, {'kind=sort args={"a": [1]}', 'kind=mail args={"a": [1]}'})
    assert db.execute("SELECT kind FROM river_job WHERE state = 'available'").fetchall() == [("other",)]
    assert run(go_program, "work", database_url, "--count", "1").stdout.startswith("worked job 3 kind=other")


def test_work_stops_on_a_signal(go_program: Path, database_url: str, db: psycopg.Connection) -> None:
    db.execute("INSERT INTO river_job (args, kind, max_attempts) VALUES ('{}', 'sort', 25)")
    words = [str(go_program), "work", "--database-url", database_url]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "worked job 1 kind=sort args={}\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert db.execute("SELECT state::text FROM river_job").fetchone() == ("completed",)


@pytest.mark.parametrize("mode", ["insert", "insert-tx", "insert-many", "insert-many-fast"])
def test_bench(go_program: Path, database_url: str, mode: str) -> None:
    done = run(go_program, f"bench {mode}", database_url, "--count", "200", "--batch", "50", "--rounds", "2")
    result = json.loads(done.stdout)
    assert (result["mode"], result["jobs"], result["rounds"]) == (mode, 200, 2)
    assert 0 < result["p50_us"] <= result["p95_us"] <= result["p99_us"]
    assert len(result["jobs_per_second_each_round"]) == 2


@pytest.mark.parametrize("variant", ["", "tuned"])
def test_bench_work(go_program: Path, database_url: str, db: psycopg.Connection, variant: str) -> None:
    db.execute(
        "INSERT INTO river_job (args, kind, max_attempts)"
        " SELECT '{\"num\": 1}', 'bench', 25 FROM generate_series(1, 30)"
    )
    done = run(go_program, "bench-work work", database_url, "--count", "30", "--slots", "10", "--variant", variant)
    assert json.loads(done.stdout)["jobs_per_second"] > 0
    assert db.execute("SELECT DISTINCT state::text FROM river_job").fetchall() == [("completed",)]
    run(go_program, "bench-work mixed", database_url, "--count", "20", "--variant", variant)
    assert db.execute("SELECT count(*) FROM river_job WHERE state = 'completed'").fetchone() == (50,)
