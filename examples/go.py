"""River's Go client as the demo's worker: the program in ``tests/interop/go``, built when it is needed."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.go import go_missing_reason, peer


def missing() -> str | None:
    """Say why Go cannot be used here, or None when it can."""
    reason = go_missing_reason()
    return reason and f"{reason}. Install it from https://go.dev/dl/, or run the demo without --go."


def build() -> Path:
    """Build the program, unless it is built already."""
    return peer()


def work(program: Path, database_url: str) -> Iterator[str]:
    """Work the jobs of the queue ``default`` until none is left, and yield a line for each."""
    command = [str(program), "work", "--database-url", database_url, "--queues", "default", "--until-idle"]
    command += ["--max-workers", "2000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  (our own program)
        try:
            for line in process.stdout or ():
                yield line.rstrip("\n")
        except BaseException:  # Ctrl-C among them
            process.terminate()
            raise
    if process.returncode:
        raise RuntimeError(f"the Go program failed with status {process.returncode}")
