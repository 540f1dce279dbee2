"""River over asyncpg itself, without SQLAlchemy: a driver on one page, as anybody can write one."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import asynccontextmanager
from io import BytesIO

import asyncpg

from riverqueue import TransactionError, TransactionOptions, UnavailableError
from riverqueue.driver import BoundParams, CopyTarget, Paramstyle, Row


class Executor:
    notifies = True

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def fetch(self, sql: str, params: BoundParams) -> Sequence[Row]:
        return list(await self._connection.fetch(sql, *params))

    def savepoint(self) -> "asyncpg.transaction.Transaction":
        return self._connection.transaction()

    async def copy(self, target: CopyTarget, data: Iterable[bytes]) -> int:
        table = {"schema_name": target.schema, "columns": target.columns, "format": "binary"}
        return int((await self._connection.copy_to_table(target.table, source=BytesIO(b"".join(data)), **table))[5:])


class Driver:
    style: Paramstyle = "numeric_dollar"
    bound, copies = False, True

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def begin(self, options: TransactionOptions) -> AsyncGenerator[asyncpg.Connection]:
        level = options.isolation_level and options.isolation_level.lower().replace(" ", "_")
        settings = {"readonly": bool(options.read_only), "deferrable": bool(options.deferrable)}
        async with self.autocommit() as executor, executor._connection.transaction(isolation=level, **settings):
            yield executor._connection

    @asynccontextmanager
    async def autocommit(self) -> AsyncGenerator[Executor]:
        try:
            connection = await self._pool.acquire()
        except (OSError, asyncpg.PostgresError) as error:
            raise UnavailableError(f"asyncpg's pool has no connection: {error}") from error
        try:
            yield Executor(connection)
        finally:
            await self._pool.release(connection)

    async def unwrap(self, tx: asyncpg.Connection, /) -> Executor:
        ours = isinstance(tx, asyncpg.Connection | asyncpg.pool.PoolConnectionProxy)
        if not ours or tx.is_closed() or not tx.is_in_transaction():
            raise TransactionError(f"tx must be an open asyncpg connection in a transaction, not {tx!r}")
        return Executor(tx)
