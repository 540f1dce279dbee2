"""What a worker's function must be like to run where it is to run; checked when it is registered."""

import inspect
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, get_args

from riverqueue.driver import TransactionOptions
from riverqueue.errors import ConfigurationError
from riverqueue.worker import NO_TIMEOUT, BaseWorker, ExecutorKind


def is_coroutine(function: Callable[..., Any]) -> bool:
    """Tell whether calling it gives a coroutine."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def check(function: Callable[..., Any], executor: Any, transaction: TransactionOptions | None) -> None:
    """Refuse a function that cannot work jobs, or not where it is to.

    Parameters:
        function: The function.
        executor: Where it is to run; None is where its queue says.
        transaction: How to begin the transaction that it is given; None if it is given none.

    Raises:
        ConfigurationError: saying why.
    """
    _check_parameters(function, ["job"] if transaction is None else ["job", "tx"])
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise ConfigurationError(f"{named(function)} has a yield, so that calling it does nothing: remove it")
    if executor is not None:
        check_executor(function, executor, transaction)


def check_executor(function: Callable[..., Any], executor: Any, transaction: TransactionOptions | None) -> None:
    """Refuse a function that cannot run where it is to.

    Raises:
        ConfigurationError: saying why.
    """
    if executor not in get_args(ExecutorKind):
        raise ConfigurationError(f"executor must be one of {', '.join(get_args(ExecutorKind))}, not {executor!r}")
    if executor == "loop" and not is_coroutine(function):
        raise ConfigurationError(
            f"{named(function)} is a plain function, which would hold up the event loop: make it async, or say "
            'executor="thread"'
        )
    if executor != "loop" and is_coroutine(function):
        raise ConfigurationError(
            f"{named(function)} is a coroutine function, which runs on the event loop: make it a plain def, or say "
            'executor="loop"'
        )
    if executor == "process":
        _check_process(function, transaction)


def _check_process(function: Callable[..., Any], transaction: TransactionOptions | None) -> None:
    if transaction is not None:
        raise ConfigurationError(f"{named(function)}: another process cannot be given a transaction; use a thread")
    if "<" in named(function):
        raise _not_found(function, "it is made inside of another function")


def check_sent(function: Callable[..., Any]) -> None:
    """Refuse a function that another process cannot find; to be asked when its module is complete.

    Raises:
        ConfigurationError: saying why.
    """
    import pickle  # what most programs do without

    try:
        pickle.dumps(function)
    except Exception as error:
        raise _not_found(function, str(error)) from error


def _not_found(function: Callable[..., Any], why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{named(function)} cannot run in another process, which has to import it: define it at the top of a module, "
        f"without a decorator that replaces it ({why})"
    )


def _check_parameters(function: Callable[..., Any], wanted: list[str]) -> None:
    try:
        inspect.signature(function).bind(*wanted)
    except TypeError as error:
        raise ConfigurationError(f"{named(function)} must take {' and '.join(wanted)}: {error}") from None
    except ValueError:
        pass  # it is not written in Python, and does not tell


def check_timeout(value: Any) -> None:
    """Refuse what is no timeout.

    Raises:
        ConfigurationError: if it is not.
    """
    if value is not None and not isinstance(value, timedelta):
        raise ConfigurationError(f"timeout must be a timedelta, not {value!r}")
    if value is not None and value <= timedelta(0) and value != NO_TIMEOUT:
        raise ConfigurationError(
            f"timeout must be positive, not {value}: leave it out for the client's, or give NO_TIMEOUT for none"
        )


def check_layers(worker: BaseWorker[Any]) -> None:
    """Refuse middleware and hooks that have nothing to call.

    Raises:
        ConfigurationError: if one has not.
    """
    for layer in worker.middleware(None):  # type: ignore[arg-type]  # the same for all jobs
        if not callable(getattr(layer, "work", None)):
            raise ConfigurationError(f"middleware: {layer!r} has no method work")
    for hook in worker.hooks(None):  # type: ignore[arg-type]
        if not any(callable(getattr(hook, name, None)) for name in ("work_begin", "work_end")):
            raise ConfigurationError(f"hooks: {hook!r} has no method work_begin or work_end")


def texts(given: Iterable[str], what: str) -> list[str]:
    """Return some texts; one by itself is refused, whose letters would be taken for them.

    Raises:
        ConfigurationError: if it is one.
    """
    if isinstance(given, str):
        raise ConfigurationError(f"{what} must be a list, like [{given!r}], not a str")
    return list(given)


def named(function: Callable[..., Any]) -> str:
    """Name a function, for errors."""
    return getattr(function, "__qualname__", repr(function))
