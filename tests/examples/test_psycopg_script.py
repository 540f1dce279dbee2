from pathlib import Path

from tests.examples.support import jobs, rows, run


def test_files_become_rows_and_jobs_once(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "b.txt").write_text("three\n")

    first = run(["-m", "examples.psycopg_script", tmp_path], DATABASE_URL=database_url)
    assert first.stderr == ""
    assert "2 of 2 files are new; 3 lines to check" in first.stdout.splitlines()
    found = rows(database_url, "SELECT id, name, content FROM document ORDER BY id")
    assert [row[1:] for row in found] == [("a.txt", "one\ntwo\n"), ("b.txt", "three\n")]
    assert jobs(database_url) == [
        ("summarise", {"document_id": found[0][0]}),
        ("summarise", {"document_id": found[1][0]}),
        ("check_spelling", {"name": "a.txt", "line": 1}),
        ("check_spelling", {"name": "a.txt", "line": 2}),
        ("check_spelling", {"name": "b.txt", "line": 1}),
    ]

    (tmp_path / "c.txt").write_text("four\n")
    again = run(["-m", "examples.psycopg_script", tmp_path], DATABASE_URL=database_url)
    assert again.stderr == ""
    assert "1 of 3 files are new; 1 lines to check" in again.stdout.splitlines()
    assert len(rows(database_url, "SELECT FROM document")) == 3
    assert len(jobs(database_url)) == 7
