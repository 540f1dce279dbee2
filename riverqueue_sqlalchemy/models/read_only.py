"""What keeps a session from writing objects of River's models."""

from enum import Enum
from typing import Any, ClassVar

from sqlalchemy import event, inspect
from sqlalchemy.orm import InstanceState, Session

from riverqueue.errors import RiverError


class ReadOnlyModelError(RiverError):
    """A session was to write an object of River's models."""


class ReadOnly:
    """Base of River's models: objects that a session reads and does not write."""

    #: A client's methods that do what was tried here.
    _river_methods: ClassVar[dict[str, str]] = {}

    #: Attributes that tell one object from another.
    _river_shown: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        # Only what is loaded: a repr sends nothing.
        shown = [f"{key}={_shown(self.__dict__[key])}" for key in self._river_shown if key in self.__dict__]
        return f"<{' '.join([type(self).__name__, *shown])}>"


def _shown(value: object) -> str:
    return str(value.value) if isinstance(value, Enum) else repr(value)


def _refuse(action: str, instance: ReadOnly) -> None:
    methods = instance._river_methods.get(action)
    advice = f"client.{methods} with tx=session does it" if methods else "River keeps its table by itself"
    undo = "refresh" if action == "update" else "expunge" if action == "insert" else "add"
    raise ReadOnlyModelError(
        f"{instance!r} is read-only, and the session was to {action} it: {advice}. "
        f"To go on with the session, session.{undo}(…) it"
    )


def _is_changed(instance: ReadOnly) -> bool:
    # Columns only: a relationship of the user's may change, and be stored in a table of the user's.
    state: InstanceState[Any] = inspect(instance)
    return any(state.attrs[column.key].history.has_changes() for column in state.mapper.column_attrs)


@event.listens_for(Session, "before_flush")
def _before_flush(session: Session, *_: object) -> None:
    # On all sessions, for no narrower event comes before anything is sent and leaves the transaction as it was. It
    # costs a look at each object that is written.
    for action, instances in (("insert", session.new), ("update", session.dirty), ("delete", session.deleted)):
        for instance in instances:
            if isinstance(instance, ReadOnly) and (action != "update" or _is_changed(instance)):
                _refuse(action, instance)


# What a relationship changes comes to light only in the middle of a flush.


@event.listens_for(ReadOnly, "before_insert", propagate=True)
def _before_insert(_mapper: object, _connection: object, instance: ReadOnly) -> None:
    _refuse("insert", instance)


@event.listens_for(ReadOnly, "before_update", propagate=True)
def _before_update(_mapper: object, _connection: object, instance: ReadOnly) -> None:
    if _is_changed(instance):
        _refuse("update", instance)


@event.listens_for(ReadOnly, "before_delete", propagate=True)
def _before_delete(_mapper: object, _connection: object, instance: ReadOnly) -> None:
    _refuse("delete", instance)
