"""Types are part of the behaviour: what must be accepted is, and what must be refused is, by both checkers."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


def mypy_errors(file: Path) -> set[int]:
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", "pyproject.toml", str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode in {0, 1}, run.stdout + run.stderr
    return {int(found[1]) for found in re.finditer(rf"{file.name}:(\d+): error", run.stdout)}


def pyright_errors(file: Path) -> set[int]:
    run = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable, str(file)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    found = json.loads(run.stdout)["generalDiagnostics"]
    return {d["range"]["start"]["line"] + 1 for d in found if d["severity"] == "error"}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", [mypy_errors, pyright_errors])
def test_accepted(checker):
    assert checker(HERE / "accepted.py") == set()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("checker", [mypy_errors, pyright_errors])
def test_refused(checker):
    file = HERE / "refused.py"
    marked = {n for n, line in enumerate(file.read_text().splitlines(), 1) if line.endswith("# refused")}
    assert checker(file) == marked
