"""From MODULE:CLIENT to a client."""

import difflib
import importlib
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Iterable
from contextlib import AsyncExitStack
from functools import reduce
from pathlib import Path
from typing import Any, TypeAlias

from riverqueue import AsyncClient, Client
from riverqueue.cli.failures import Failure, one_line

AnyClient: TypeAlias = AsyncClient[Any, Any] | Client[Any, Any]


class Source:
    """What MODULE:CLIENT names. A plain function is called at once, a coroutine function on the loop.

    Parameters:
        target: MODULE:CLIENT.

    Raises:
        Failure: There is no such thing, or it cannot be had.
    """

    def __init__(self, target: str) -> None:
        self._target = target
        module, _, path = target.partition(":")
        sys.path.insert(0, str(Path.cwd()))
        self._found = _attribute(_module(module), path.split("."))
        if not isinstance(self._found, AsyncClient | Client):
            self._check_callable()
        if callable(self._found) and not inspect.iscoroutinefunction(self._found):
            self._found = self._called()

    async def client(self, stack: AsyncExitStack) -> AnyClient:
        """Return the client.

        Parameters:
            stack: Lets go of it in the end: by the context manager that it came by, else by closing its driver.

        Raises:
            Failure: It cannot be had, or is none.
        """
        try:
            found = await self._made(stack)
        except Exception as error:
            raise self._failed(error) from error
        if not isinstance(found, AsyncClient | Client):
            raise Failure(f"{self._target} returned {_described(found)}, not an AsyncClient or a Client")
        return found

    async def _made(self, stack: AsyncExitStack) -> Any:
        made = self._called() if inspect.iscoroutinefunction(self._found) else self._found
        if inspect.isawaitable(made):
            made = await made
        if isinstance(made, AsyncClient | Client):
            stack.push_async_callback(_close, made.driver)
        elif hasattr(made, "__aenter__"):
            made = await stack.enter_async_context(made)
        elif hasattr(made, "__enter__"):
            made = stack.enter_context(made)
        return made

    def _check_callable(self) -> None:
        if not callable(self._found) or inspect.isclass(self._found):
            raise Failure(
                f"{self._target} is {_described(self._found)}, not an AsyncClient or a Client, nor a function that "
                "returns one"
            )
        try:
            inspect.signature(self._found).bind()
        except TypeError as error:
            raise Failure(f"{self._target} must be a function without parameters: {one_line(error)}") from None

    def _called(self) -> Any:
        try:
            return self._found()
        except Exception as error:
            raise self._failed(error) from error

    def _failed(self, error: Exception) -> Failure:
        return error if isinstance(error, Failure) else Failure(f"{self._target} failed: {_told(error)}")


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise Failure(f"there is no module {error.name}{_hint(error.name, _modules(error.name))}") from None
        raise Failure(f"importing {name} failed: {_told(error)}") from error
    except Exception as error:
        raise Failure(f"importing {name} failed: {_told(error)}") from error


def _modules(name: str) -> list[str]:
    """Return the names of modules that stand where one was looked for."""
    package, dot, _ = name.rpartition(".")
    path = getattr(sys.modules.get(package), "__path__", []) if package else [str(Path.cwd())]
    return [f"{package}{dot}{module.name}" for module in pkgutil.iter_modules(path)]


def _attribute(module: Any, path: list[str]) -> Any:
    def step(owner: Any, name: str) -> Any:
        try:
            return getattr(owner, name)
        except AttributeError:
            where = getattr(owner, "__name__", type(owner).__name__)
            raise Failure(f"{where} has no {name}{_hint(name, _attributes(owner))}") from None

    return reduce(step, path, module)


def _attributes(owner: Any) -> list[str]:
    return [name for name in dir(owner) if not name.startswith("__")]


def _hint(name: str, others: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, others)
    return f": did you mean {' or '.join(close)}?" if close else ""


def _described(thing: Any) -> str:
    return f"the class {thing.__name__}" if inspect.isclass(thing) else f"of type {type(thing).__name__}"


def _told(error: Exception) -> str:
    """Say what went wrong in the program, and where."""
    said, (file, line) = one_line(error), _place(error)
    if isinstance(error, SyntaxError):
        said, file, line = error.msg, error.filename or file, error.lineno or line
    return f"{type(error).__name__}: {said} ({file}, line {line}). --debug shows the traceback"


def _place(error: Exception) -> tuple[str, int | None]:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return frame.filename, frame.lineno


async def _close(driver: Any) -> None:
    """Close what the driver has opened by itself; what the program owns stays open."""
    close = getattr(driver, "close", None)
    answer = close() if callable(close) else None
    if inspect.isawaitable(answer):
        await answer
