"""River's versions as plain SQL, for people who migrate with another tool."""

from collections.abc import Iterator

from riverqueue_migrations.ladder import Direction, Migration, check_version, latest, migrations


def sql(
    direction: Direction = "up",
    from_version: int | None = None,
    to_version: int | None = None,
    schema: str | None = None,
    *,
    bookkeeping: bool = True,
) -> str:
    """Write out the SQL between two of River's versions. Nothing is asked of any database.

    Without ``BEGIN`` and ``COMMIT``: run it in one transaction (``psql -1 -v ON_ERROR_STOP=1``, or
    whatever the tool does by itself). Statements end in a semicolon at the end of a line; two kinds of them,
    functions and ``DO``, hold semicolons inside ``$$`` quotes.

    Parameters:
        direction: ``up`` or ``down``.
        from_version: The version the database has; 0 if none. By default 0 upward, the newest downward.
        to_version: The version to arrive at; 0 if none. By default the newest upward, 0 downward.
        schema: Schema of River's tables; None leaves it to the ``search_path``.
        bookkeeping: Also write River's own rows in ``river_migration``. Without them another River
            migrator would start from nothing.

    Returns:
        The text; empty if both versions are the same.

    Raises:
        ConfigurationError: There is no such version.
    """
    check_version(from_version, lowest=0)
    check_version(to_version, lowest=0)
    bottom, top = 0 if from_version is None else from_version, latest() if to_version is None else to_version
    if direction == "down":
        bottom, top = to_version or 0, latest() if from_version is None else from_version
    chosen = [migration for number, migration in migrations().items() if bottom < number <= top]
    ordered = chosen if direction == "up" else chosen[::-1]
    return "\n".join(_lines(migration, direction, schema, bookkeeping) for migration in ordered)


def _lines(migration: Migration, direction: Direction, schema: str | None, bookkeeping: bool) -> str:
    header = f"-- River main migration {migration.version:03} [{direction}]\n"
    return header + "".join(_ended(migration.statements(direction, schema, bookkeeping=bookkeeping)))


def _ended(statements: list[str]) -> Iterator[str]:
    return (statement + ";\n" for statement in statements)
