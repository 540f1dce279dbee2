"""Work in steps: a job that is tried again goes on where it failed (River's ``resumable.go``)."""

import inspect
import json
from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeAlias

from riverqueue import checks
from riverqueue.errors import RiverError
from riverqueue.jobs import JobRow

STEP = "river:resumable_step"
CURSOR = "river:resumable_cursor"

StepFunction: TypeAlias = Callable[[], Awaitable[None] | None]
CursorStepFunction: TypeAlias = Callable[[Any], Awaitable[None] | None]


class ResumableError(RiverError):
    """Steps do not fit together, or do not fit what an earlier attempt has stored."""


class Skipped:
    """What a step gives that was done before: nothing, and it can be awaited."""

    def __await__(self) -> Generator[None, None, None]:
        return
        yield


class Resumable:
    """The steps of one attempt.

    Parameters:
        job: The job as it was fetched.
    """

    def __init__(self, job: JobRow) -> None:
        metadata = job.metadata
        resume = metadata.get(STEP)
        self.resume_step: str = resume if isinstance(resume, str) else ""
        self.matched = not self.resume_step
        stored = metadata.get(CURSOR)
        cursors = stored if isinstance(stored, dict) else {}
        self.cursors = {name: json.dumps(value, ensure_ascii=False) for name, value in cursors.items()}
        self.cursors_changed = False
        self.completed = ""
        self.active = ""
        #: Steps of which a cursor is stored, and that no step has taken up yet.
        self.pending = set() if self.resume_step else set(self.cursors)
        self._seen: set[str] = set()

    def begins(self, name: str, *, cursor: bool) -> bool:
        """Tell whether a step is to be done now, rather than having been done by an earlier attempt."""
        if self.active:
            raise ResumableError("river: resumable steps cannot be nested")
        if name in self._seen:
            raise ResumableError(f"river: duplicate resumable step name {json.dumps(name)}")
        self._seen.add(name)
        if name in self.pending and not cursor:
            raise ResumableError(f"river: resumable cursor step {json.dumps(name)} requires a cursor step")
        if self.matched:
            return True
        if name == self.resume_step:
            self.completed = name
            self.matched = True
            return cursor and name in self.cursors
        return False

    def enter(self, name: str) -> None:
        """Begin a step."""
        self.active = name
        self.pending.discard(name)

    def leave(self, name: str, *, done: bool) -> None:
        """End a step."""
        self.active = ""
        if done:
            self.completed = name
            if self.cursors.pop(name, None) is not None:
                self.cursors_changed = True

    def set_cursor(self, text: str) -> None:
        """Keep a cursor of the step that is going on."""
        self.cursors[self.active] = text
        self.cursors_changed = True

    @property
    def unfinished(self) -> str | None:
        """What an earlier attempt has stored and this one has not come to; None if nothing."""
        if not self.matched:
            return f"river: resumable step {json.dumps(self.resume_step)} not found in Worker"
        if self.pending:
            return f"river: resumable cursor step {json.dumps(min(self.pending))} not found in Worker"
        return None

    def metadata(self) -> dict[str, str]:
        """Return what is to be stored when the attempt fails, as JSON text by name."""
        if self.pending:
            return {}
        stored = {}
        if self.cursors_changed:
            stored[CURSOR] = self.cursors_text if self.cursors else "null"
        if self.completed:
            stored[STEP] = json.dumps(self.completed, ensure_ascii=False)
        return stored

    @property
    def cursors_text(self) -> str:
        """All cursors, as JSON text."""
        return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in self.cursors.items()) + "}"


def run_step(steps: Resumable, name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Do one step; for a coroutine, return what is to be awaited.

    Parameters:
        steps: Those of the attempt.
        name: Name of the step.
        function: Does it.
        arguments: What it is given.
    """
    steps.enter(name)
    try:
        result = function(*arguments)
    except BaseException:
        steps.leave(name, done=False)
        raise
    if inspect.isawaitable(result):
        return _awaited(steps, name, result)
    steps.leave(name, done=True)
    return Skipped()


async def _awaited(steps: Resumable, name: str, work: Awaitable[Any]) -> None:
    try:
        await work
    except BaseException:
        steps.leave(name, done=False)
        raise
    steps.leave(name, done=True)


def checked_name(name: Any) -> str:
    """Return a step's name if it can be one."""
    return checks.text(name, "a step's name")
