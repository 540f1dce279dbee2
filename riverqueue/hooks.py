"""Where users step in: hooks at a point, middleware around a call (River's ``plugin.go``).

For inserts, hooks and middleware of `Client` are plain functions; those of `AsyncClient` may be coroutines. For work,
which is done on a loop, middleware are coroutines, and hooks are either.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from riverqueue.errors import ConfigurationError
from riverqueue.insert_params import JobInsertParams
from riverqueue.jobs import InsertResult

#: What the innermost call of an insert returns: results, or for ``insert_many_fast`` a count.
InsertOutcome: TypeAlias = list[InsertResult] | int


#: What a hook and a middleware may have.
_HOOKS = ("insert_begin", "work_begin", "work_end")
_MIDDLEWARE = ("insert_many", "work")


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


class OfArgs(NamedTuple):
    """What the class of some args brings, innermost of all."""

    insert_begin: list[Any]
    work_begin: list[Any]
    work_end: list[Any]
    insert_many: list[Any]
    work: list[Any]


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
        self._check("plugins", plugins, *_HOOKS, *_MIDDLEWARE)
        self._check("hooks", hooks, *_HOOKS)
        self._check("middleware", middleware, *_MIDDLEWARE)
        self._hooks = having("insert_begin", [*plugins, *hooks])
        self._middleware = having("insert_many", [*plugins, *middleware])
        self.work_middleware: Sequence[Any] = having("work", [*plugins, *middleware])
        self.work_begin: Sequence[Any] = having("work_begin", [*plugins, *hooks])
        self.work_end: Sequence[Any] = having("work_end", [*plugins, *hooks])
        self._of_type: dict[type, OfArgs] = {}

    def hooks(self, args: object) -> Sequence[Any]:
        """Return the hooks of one job, outermost first."""
        return [*self._hooks, *self.of_args(args).insert_begin]

    def middleware(self, jobs: Sequence[JobInsertParams]) -> Sequence[Any]:
        """Return the middleware of a batch, outermost first: each kind's once."""
        by_kind = {job.kind: job.args for job in reversed(jobs)}
        found = list(self._middleware)
        for kind in dict.fromkeys([job.kind for job in jobs]):
            found += self.of_args(by_kind[kind]).insert_many
        return found

    def any_for(self, jobs: Sequence[JobInsertParams]) -> bool:
        """Tell whether a batch meets any hook or middleware at all."""
        return any(self.any_of_args(job.args) for job in jobs)

    def any_of_args(self, args: object) -> bool:
        """Tell whether a job meets any hook or middleware at all."""
        own = self.of_args(args)
        return bool(self._hooks or self._middleware or own.insert_begin or own.insert_many)

    def of_args(self, args: object) -> "OfArgs":
        """Return what the class of some args brings."""
        found = self._of_type.get(type(args))
        if found is None:
            plugins, hooks = _called(args, "plugins"), _called(args, "hooks")
            self._check(f"plugins() of {type(args).__name__}", plugins, *_HOOKS, *_MIDDLEWARE)
            self._check(f"hooks() of {type(args).__name__}", hooks, *_HOOKS)
            found = self._of_type[type(args)] = OfArgs(
                *[having(name, [*plugins, *hooks]) for name in _HOOKS], *[having(name, plugins) for name in _MIDDLEWARE]
            )
        return found

    def _check(self, what: str, entries: list[object], *methods: str) -> None:
        for entry in entries:
            found = [method for method in methods if callable(getattr(entry, method, None))]
            if not found:
                raise ConfigurationError(f"{what}: {entry!r} has no method {' or '.join(methods)}")
            if self._asynchronous:
                continue
            # Middleware of work, and its hooks, are called on the loop that the worker has.
            if any(inspect.iscoroutinefunction(getattr(entry, method)) for method in found if "insert" in method):
                raise ConfigurationError(f"{what}: {entry!r} is a coroutine's; use it with AsyncClient")


def having(method: str, entries: Iterable[object]) -> list[Any]:
    """Return those that have a method."""
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
