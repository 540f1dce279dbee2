"""A contestant that is talked with while it runs, a line at a time."""

import json
import subprocess
import tempfile
from threading import Timer
from typing import Any, Self

from benchmarks import environments
from benchmarks.contestants import Contestant
from benchmarks.rounds import LIMIT


class Conversation:
    """One process; as a context manager it is ended with the block.

    Parameters:
        contestant: Who.
        mode: What it does.
        url: Of its database.
        options: As its command has them.
    """

    def __init__(self, contestant: Contestant, mode: str, url: str, **options: float) -> None:
        program = environments.program(contestant.environment)
        self._name = contestant.name
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  (closed with the block)
        self._process = subprocess.Popen(
            contestant.command(program, mode, url, **options),
            env=environments.variables(contestant.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._limit = Timer(LIMIT, self._process.kill)
        self._limit.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._limit.cancel()
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def hear(self) -> dict[str, Any]:
        """Wait for a line.

        Raises:
            RuntimeError: if the contestant ends instead, or its time is over.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            raise RuntimeError(f"{self._name} ended:\n{self._errors.read()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def say(self) -> None:
        """Have it go on."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
