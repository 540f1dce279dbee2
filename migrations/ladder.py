"""River's versions in order: what each is, and which of them a request means.

Nothing here talks to a database. Behaviour follows River's ``rivermigrate/river_migrate.go``.
"""

import importlib
import pkgutil
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeAlias, assert_never

from riverqueue.errors import ConfigurationError
from riverqueue.sql import quote

Direction: TypeAlias = Literal["up", "down"]

#: The version from which ``river_migration`` tells several migration lines apart.
LINE_ADDED = 5


@dataclass(frozen=True, slots=True)
class Migration:
    """One of River's versions.

    Parameters:
        version: River's number for it, counted from 1.
        name: River's name for it, as its command line prints it.
        up: Statements that bring it in; ``{schema}`` stands before each of River's names.
        down: Statements that take it out again.
    """

    version: int
    name: str
    up: tuple[str, ...]
    down: tuple[str, ...]

    def statements(self, direction: Direction, schema: str | None = None, *, bookkeeping: bool = True) -> list[str]:
        """Render the statements of one direction, without semicolons.

        Parameters:
            direction: Bring the version in (``up``) or take it out (``down``).
            schema: Schema of River's tables; None leaves it to the ``search_path``.
            bookkeeping: Also write or delete the version's row in ``river_migration``.
        """
        prefix = quote(schema) + "." if schema else ""
        texts = self._chosen(direction) + (self._row(direction) if bookkeeping else ())
        return [text.strip().replace("{schema}", prefix) for text in texts]

    def _chosen(self, direction: Direction) -> tuple[str, ...]:
        match direction:
            case "up":
                return self.up
            case "down":
                return self.down
        assert_never(direction)

    def _row(self, direction: Direction) -> tuple[str, ...]:
        return self._row_written() if direction == "up" else self._row_deleted()

    def _row_written(self) -> tuple[str, ...]:
        if self.version < LINE_ADDED:
            return (f"INSERT INTO {{schema}}river_migration (version) VALUES ({self.version})",)  # noqa: S608
        return (f"INSERT INTO {{schema}}river_migration (line, version) VALUES ('main', {self.version})",)  # noqa: S608

    def _row_deleted(self) -> tuple[str, ...]:
        if self.version == 1:  # the table is gone
            return ()
        line = "line = 'main' AND " if self.version > LINE_ADDED else ""
        return (f"DELETE FROM {{schema}}river_migration WHERE {line}version = {self.version}",)  # noqa: S608


@cache
def migrations() -> dict[int, Migration]:
    """Read River's versions from the revision files, by number, ascending."""
    package = importlib.import_module("riverqueue_migrations.versions")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    modules = (importlib.import_module(f"{package.__name__}.{name}") for name in names)
    found: list[Migration] = [module.MIGRATION for module in modules]
    return {migration.version: migration for migration in found}


def latest() -> int:
    """Return River's newest version."""
    return max(migrations())


def check_version(version: int | None, *, lowest: int = 1) -> None:
    """Refuse a version that River does not have.

    Parameters:
        version: The number to look at; None is always right.
        lowest: 0 where "no version at all" is a possible request.

    Raises:
        ConfigurationError: There is no such version.
    """
    if version is None or lowest <= version <= latest():
        return
    also = ", and 0 removes River" if lowest == 0 else ""
    message = f"version {version} is not a valid River migration version; valid are 1–{latest()}{also}"
    raise ConfigurationError(message)


def plan_up(applied: Collection[int], version: int | None = None) -> list[Migration]:
    """Choose the versions to bring in, in order.

    Parameters:
        applied: Versions the database already has.
        version: The last one to bring in; None is the newest. Nothing to do if it is already applied.

    Raises:
        ConfigurationError: There is no such version.
    """
    check_version(version)
    target = version or latest()
    if target in applied:
        return []
    return [m for number, m in migrations().items() if number not in applied and number <= target]


def plan_down(applied: Collection[int], version: int | None = None) -> list[Migration]:
    """Choose the versions to take out, in order.

    Parameters:
        applied: Versions the database has.
        version: The version to arrive at, 0 to remove everything; None takes out the newest only.

    Raises:
        ConfigurationError: There is no such version, or the database does not have it.
    """
    check_version(version, lowest=0)
    present = [migrations()[number] for number in sorted(applied, reverse=True) if number in migrations()]
    if version is None:
        return present[:1]
    if version and version not in applied:
        raise ConfigurationError(f"version {version} is not applied, so there is no way down to it")
    return [migration for migration in present if migration.version > version]
