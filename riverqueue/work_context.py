"""What a worker can reach while it works: its job, its client, and what is stored when the attempt ends."""

import json
from contextvars import ContextVar
from typing import Any

from riverqueue import checks, encoding
from riverqueue.errors import ConfigurationError, InvalidArgsError, InvalidParamsError
from riverqueue.jobs import JobRow
from riverqueue.resumable import (
    CURSOR,
    STEP,
    CursorStepFunction,
    Resumable,
    ResumableError,
    Skipped,
    StepFunction,
    checked_name,
    run_step,
)

#: Members of the metadata that begin so are River's own.
_RESERVED = "river:"


class WorkContext:
    """One attempt at a job, as seen from inside.

    Parameters:
        job: The job as it was fetched.
        client: The client that works it.

    Attributes:
        cancelled: Whether the work is to end: the job was cancelled, its time is over, or the client stops. A
            coroutine is interrupted where it waits; a plain function in a thread must look by itself.
    """

    __slots__ = ("_resumable", "_steps_elsewhere", "_updates", "cancelled", "client", "job")

    def __init__(self, job: JobRow, client: Any) -> None:
        self.job = job
        self.client = client
        self.cancelled = False
        self._updates: dict[str, str] = {}
        self._resumable: Resumable | None = None
        self._steps_elsewhere = False

    @property
    def resumable(self) -> Resumable:
        """The steps of this attempt."""
        if self._resumable is None:
            self._resumable = Resumable(self.job)
        return self._resumable

    def check_steps(self) -> None:
        """Refuse an attempt that ended well without coming to where an earlier one had left off.

        Raises:
            ResumableError: saying what it has not come to.
        """
        if self._steps_elsewhere or (self._resumable is None and not self.job.metadata.keys() & {STEP, CURSOR}):
            return
        unfinished = self.resumable.unfinished
        if unfinished is not None:
            raise ResumableError(unfinished)

    def keep_steps(self) -> None:
        """Have the steps stored that were done, so that the next attempt goes on from there."""
        if self._resumable is not None:
            for key, text in self._resumable.metadata().items():
                self.set_metadata(key, text)

    @property
    def updates(self) -> dict[str, str]:
        """What is to be merged into the metadata when the attempt ends: JSON text by name."""
        return self._updates

    def take_updates(self, updates: dict[str, str]) -> None:
        """Take over what another process, which has done the work, wants to be merged; it has looked after steps."""
        self._updates.update(updates)
        self._steps_elsewhere = True

    @property
    def metadata_updates(self) -> str | None:
        """What is to be merged into the metadata when the attempt ends, as JSON text; None if nothing."""
        if not self._updates:
            return None
        return "{" + ",".join(f"{encoding.name(key)}:{value}" for key, value in self._updates.items()) + "}"

    def set_metadata(self, key: str, text: str) -> None:
        """Have a member merged into the metadata when the attempt ends, however it does.

        Parameters:
            key: Its name.
            text: JSON text of its value.
        """
        self._updates[key] = text


_current: ContextVar[WorkContext] = ContextVar("riverqueue_work_context")


def enter(context: WorkContext) -> None:
    """Let the code that runs in this task, and what it calls, find the context."""
    _current.set(context)


def work_context() -> WorkContext:
    """Return the context of the attempt that this code is part of.

    Raises:
        ConfigurationError: if it runs outside of a worker.
    """
    context = _current.get(None)
    if context is None:
        raise ConfigurationError("there is no job here: call this from inside a worker, its middleware or its hooks")
    return context


def current_job() -> JobRow | None:
    """Return the job that is being worked here; None outside of a worker."""
    context = _current.get(None)
    return None if context is None else context.job


def metadata_of(job_id: int) -> str | None:
    """Return what is to be merged into a job's metadata, if it is the one being worked here."""
    context = _current.get(None)
    return context.metadata_updates if context is not None and context.job.id == job_id else None


def client_from_context() -> Any:
    """Return the client that works this job, to insert others by, for example.

    Raises:
        ConfigurationError: if it runs outside of a worker.
    """
    client = work_context().client
    if client is None:
        raise ConfigurationError("a worker in a process of its own has no client: make one there, or use a thread")
    return client


def record_output(value: Any) -> None:
    """Record what the work of this job resulted in; it is stored when the attempt ends, however it does.

    The last call wins. ``client.job_update(job.id, output=…)`` stores it at once. Follows River's
    ``recorded_output.go``.

    Parameters:
        value: Any value that JSON has, up to 32 MiB.

    Raises:
        InvalidParamsError: if it has no JSON form, or is too large.
        ConfigurationError: if it runs outside of a worker.
    """
    work_context().set_metadata("output", checks.output(value))


def metadata_set(key: str, value: Any) -> None:
    """Have a member of the job's metadata set when the attempt ends, however it does.

    Parameters:
        key: Its name; not one that begins with ``river:``.
        value: Any value that JSON has.

    Raises:
        InvalidParamsError: if the key is River's own, or the value has no JSON form.
        ConfigurationError: if it runs outside of a worker.
    """
    key = checks.text(key, "a metadata key")
    if key.startswith(_RESERVED):
        raise InvalidParamsError(f"metadata that begin with {_RESERVED!r} are River's own: {key!r}; use another name")
    work_context().set_metadata(key, _encoded(value, f"metadata {key!r}"))


def _encoded(value: Any, what: str) -> str:
    try:
        return encoding.encode(value)
    except InvalidArgsError as error:
        raise InvalidParamsError(f"{what}: {error}") from error


def resumable_step(name: str, function: StepFunction) -> Any:
    """Do one step of a job's work, unless an earlier attempt has done it.

    When an attempt fails, the next one goes on after the last step that was done. Steps have different names, do not
    contain each other, and come in the same order each time. In a coroutine, await the result.

    Parameters:
        name: Name of the step.
        function: Does it; a plain function or a coroutine function, without parameters.

    Raises:
        ResumableError: if steps do not fit together.
        ConfigurationError: if it runs outside of a worker.
    """
    steps, name = work_context().resumable, checked_name(name)
    return run_step(steps, name, function) if steps.begins(name, cursor=False) else Skipped()


def resumable_step_cursor(name: str, function: CursorStepFunction) -> Any:
    """Do one step of a job's work that itself can go on in the middle; see `resumable_step`.

    Parameters:
        name: Name of the step.
        function: Does it; given what an earlier attempt kept by `set_cursor`, or None.

    Raises:
        ResumableError: if steps do not fit together.
        ConfigurationError: if it runs outside of a worker.
    """
    steps, name = work_context().resumable, checked_name(name)
    if not steps.begins(name, cursor=True):
        return Skipped()
    cursor = steps.cursors.get(name)
    return run_step(steps, name, function, None if cursor is None else json.loads(cursor))


def set_cursor(value: Any) -> None:
    """Keep how far the step has come; if the attempt fails, the next one is given it.

    Parameters:
        value: Any value that JSON has.

    Raises:
        ResumableError: if no step is going on.
        InvalidParamsError: if the value has no JSON form.
        ConfigurationError: if it runs outside of a worker.
    """
    steps = work_context().resumable
    if not steps.active:
        raise ResumableError("set_cursor is for use inside of resumable_step_cursor")
    steps.set_cursor(_encoded(value, "the cursor"))
