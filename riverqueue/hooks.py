"""Where users step into an insert: hooks at a point, middleware around the call (River's ``plugin.go``).

Hooks and middleware of `Client` are plain functions; those of `AsyncClient` may be coroutines.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

from riverqueue.errors import ConfigurationError
from riverqueue.insert_params import JobInsertParams
from riverqueue.jobs import InsertResult

#: What the innermost call of an insert returns: results, or for ``insert_many_fast`` a count.
InsertOutcome: TypeAlias = list[InsertResult] | int


class InsertHook(Protocol):
    """Called for each job before it is inserted; may change it, or refuse it by an exception."""

    def insert_begin(self, params: JobInsertParams, /) -> Awaitable[None] | None:
        """Look at one job."""
        ...


class InsertMiddleware(Protocol):
    """Wraps the insert of a batch."""

    def insert_many(self, jobs: Sequence[JobInsertParams], inner: Callable[[], InsertOutcome], /) -> InsertOutcome:
        """Do something, call `inner`, return its outcome."""
        ...


class AsyncInsertMiddleware(Protocol):
    """Wraps the insert of a batch on an event loop."""

    async def insert_many(
        self, jobs: Sequence[JobInsertParams], inner: Callable[[], Awaitable[InsertOutcome]], /
    ) -> InsertOutcome:
        """Do something, await `inner()`, return its outcome."""
        ...


class Extensions:
    """A client's hooks and middleware, in the order River calls them.

    Entries of `hooks` act as hooks only, of `middleware` as middleware only, of `plugins` as either.
    Those that the args' class brings (its ``plugins()`` and ``hooks()``) come after the client's.

    Parameters:
        plugins: First in both orders.
        hooks: Have an ``insert_begin`` method.
        middleware: Have an ``insert_many`` method.
        asynchronous: Whether coroutines can be awaited here.

    Raises:
        ConfigurationError: if an entry has no method that could be called, or one that cannot be here.
    """

    def __init__(
        self,
        plugins: Iterable[object] = (),
        hooks: Iterable[object] = (),
        middleware: Iterable[object] = (),
        *,
        asynchronous: bool,
    ) -> None:
        self._asynchronous = asynchronous
        plugins, hooks, middleware = list(plugins), list(hooks), list(middleware)
        self._check("plugins", plugins, "insert_begin", "insert_many")
        self._check("hooks", hooks, "insert_begin")
        self._check("middleware", middleware, "insert_many")
        self._hooks = [*_with("insert_begin", plugins), *hooks]
        self._middleware = [*_with("insert_many", plugins), *middleware]
        self._of_type: dict[type, tuple[list[object], list[object]]] = {}

    def hooks(self, args: object) -> Sequence[Any]:
        """Return the hooks of one job, outermost first."""
        return [*self._hooks, *self._by_args(args)[0]]

    def middleware(self, jobs: Sequence[JobInsertParams]) -> Sequence[Any]:
        """Return the middleware of a batch, outermost first: each kind's once."""
        by_kind = {job.kind: job.args for job in reversed(jobs)}
        found = list(self._middleware)
        for kind in dict.fromkeys([job.kind for job in jobs]):
            found += self._by_args(by_kind[kind])[1]
        return found

    def any_for(self, jobs: Sequence[JobInsertParams]) -> bool:
        """Tell whether a batch meets any hook or middleware at all."""
        return any(self.any_of_args(job.args) for job in jobs)

    def any_of_args(self, args: object) -> bool:
        """Tell whether a job meets any hook or middleware at all."""
        return bool(self._hooks or self._middleware) or any(self._by_args(args))

    def _by_args(self, args: object) -> tuple[list[object], list[object]]:
        found = self._of_type.get(type(args))
        if found is None:
            plugins, hooks = _called(args, "plugins"), _called(args, "hooks")
            self._check(f"plugins() of {type(args).__name__}", plugins, "insert_begin", "insert_many")
            self._check(f"hooks() of {type(args).__name__}", hooks, "insert_begin")
            found = ([*_with("insert_begin", plugins), *hooks], _with("insert_many", plugins))
            self._of_type[type(args)] = found
        return found

    def _check(self, what: str, entries: list[object], *methods: str) -> None:
        for entry in entries:
            found = [method for method in methods if callable(getattr(entry, method, None))]
            if not found:
                raise ConfigurationError(f"{what}: {entry!r} has no method {' or '.join(methods)}")
            if self._asynchronous:
                continue
            if any(inspect.iscoroutinefunction(getattr(entry, method)) for method in found):
                raise ConfigurationError(f"{what}: {entry!r} is a coroutine's; use it with AsyncClient")


def _with(method: str, entries: list[object]) -> list[object]:
    return [entry for entry in entries if hasattr(entry, method)]


def _called(args: object, name: str) -> list[object]:
    method: Callable[[], Iterable[object]] | None = getattr(args, name, None)
    return list(method()) if callable(method) else []


async def settle_async(value: Awaitable[Any] | Any) -> Any:
    """Await what a hook returned if it is a coroutine."""
    return await value if inspect.isawaitable(value) else value


def settle(value: Any) -> Any:
    """Return what a hook returned."""
    return value
