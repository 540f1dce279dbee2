"""What the suite says about exceptions, without pytest."""

from types import TracebackType
from typing import Any

from riverqueue.driver import sqlstate


class Undo(Exception):  # noqa: N818  (it is no error: it ends a transaction that is to be rolled back)
    """Thrown by a test to have a transaction rolled back."""


class raises:  # noqa: N801  (it reads as a phrase: `with raises(TypeError) as caught`)
    """Expect the block to raise one of some exceptions; it is kept as ``value``.

    Parameters:
        expected: The classes.
        state: The SQLSTATE it must carry, however deep.
    """

    value: Any

    def __init__(self, *expected: type[BaseException], state: str | None = None) -> None:
        self._expected = expected or (Exception,)
        self._state = state

    def __enter__(self) -> "raises":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            raise AssertionError(f"did not raise {self._state or [each.__name__ for each in self._expected]}")
        self.value = error
        found = isinstance(error, self._expected)
        return found and (self._state is None or sqlstate(error) == self._state)
