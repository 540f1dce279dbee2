"""Each bad input has an error of ours that says what to do, before any SQL; the transaction stays usable."""

import asyncio
import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import Session, sessionmaker

import riverqueue_psycopg
import riverqueue_sqlalchemy
from riverqueue import (
    AsyncClient,
    Client,
    ConfigurationError,
    InsertManyParams,
    InsertOpts,
    InvalidJobError,
    SchemaError,
    TransactionError,
    UnavailableError,
    UniqueOpts,
)
from tests.support.server import sqlalchemy_url


class Raw:
    """Args whose JSON text the test chooses."""

    def __init__(self, text: Any = "{}", kind: Any = "raw_job") -> None:
        self.text = text
        self.kind = kind

    def to_json(self) -> Any:
        return self.text


@dataclasses.dataclass
class Any_:
    kind: ClassVar[str] = "any_job"
    value: Any = None


def unique(**opts: Any) -> InsertOpts:
    return InsertOpts(unique_opts=UniqueOpts(**opts))


JOBS: dict[str, tuple[Any, Any, str]] = {
    "naive scheduled_at": (Raw(), InsertOpts(scheduled_at=datetime(2026, 1, 1)), "naive"),
    "scheduled_at of another type": (Raw(), InsertOpts(scheduled_at="tomorrow"), "must be a datetime"),
    "naive time in args": (Any_(datetime(2026, 1, 1)), None, "naive|time zone"),
    "NaN in args": (Any_(float("nan")), None, "(?i)nan"),
    "infinity in args": (Any_(float("inf")), None, "(?i)inf"),
    "NaN in JSON text": (Raw('{"a":NaN}'), None, "(?i)nan|JSON"),
    "NUL in args": (Any_("a\0b"), None, "NUL"),
    "NUL in a key": (Any_({"a\0": 1}), None, "NUL"),
    "NUL in JSON text": (Raw(r'{"a":"\u0000"}'), None, "NUL"),
    "NUL in metadata": (Raw(), InsertOpts(metadata={"a": "\0"}), "NUL"),
    "NUL in metadata text": (Raw(), InsertOpts(metadata=r'{"a":"\u0000"}'), "NUL"),
    "NUL in kind": (Raw(kind="a\0b"), None, "kind"),
    "NUL in queue": (Raw(), InsertOpts(queue="a\0b"), "queue"),
    "NUL in a tag": (Raw(), InsertOpts(tags=["ab\0c"]), "tag"),
    "lone surrogate in args": (Any_("\ud800"), None, "surrogate|UTF-8"),
    "list args": (Raw("[1]"), None, "object"),
    "null args": (Raw("null"), None, "object"),
    "string args": (Raw('"a"'), None, "object"),
    "args that are no JSON": (Raw("{'a': 1}"), None, "JSON"),
    "two JSON values": (Raw("{} {}"), None, "JSON"),
    "args of no type": (object(), None, "kind"),
    "a set in args": (Any_({1, 2}), None, "set"),
    "to_json that returns a number": (Raw(7), None, "to_json"),
    "metadata that is a list": (Raw(), InsertOpts(metadata="[1]"), "object"),
    "metadata that is no JSON": (Raw(), InsertOpts(metadata="{oops"), "JSON"),
    "metadata of another type": (Raw(), InsertOpts(metadata=[1]), "metadata"),  # type: ignore[arg-type]
    "empty kind": (Raw(kind=""), None, "kind"),
    "kind of one character": (Raw(kind="a"), None, "kind"),
    "long kind": (Raw(kind="k" * 128), None, "127"),
    "malformed kind": (Raw(kind="no spaces allowed"), None, "kind"),
    "kind that is no string": (Raw(kind=3), None, "kind"),
    "empty queue": (Raw(), InsertOpts(queue=""), "queue"),
    "long queue": (Raw(), InsertOpts(queue="q" * 65), "64"),
    "malformed queue": (Raw(), InsertOpts(queue="Big Queue"), "lower-case"),
    "queue ending in a newline": (Raw(), InsertOpts(queue="default\n"), "queue"),
    "short tag": (Raw(), InsertOpts(tags=["ab"]), "tag"),
    "tag with a comma": (Raw(), InsertOpts(tags=["abc,def"]), "tag"),
    "tag with another alphabet": (Raw(), InsertOpts(tags=["größe"]), "ASCII"),
    "long tag": (Raw(), InsertOpts(tags=["t" * 256]), "255"),
    "tags as one string": (Raw(), InsertOpts(tags="urgent"), r"\['urgent'\]"),
    "priority 0": (Raw(), InsertOpts(priority=0), "1 .*to 4"),
    "priority 5": (Raw(), InsertOpts(priority=5), "1 .*to 4"),
    "priority True": (Raw(), InsertOpts(priority=True), "1 .*to 4"),
    "no attempts": (Raw(), InsertOpts(max_attempts=0), "32767"),
    "too many attempts": (Raw(), InsertOpts(max_attempts=32_768), "32767"),
    "options of another type": (Raw(), {"queue": "default"}, "InsertOpts"),
    "unknown state": (Raw(), unique(by_state=["available", "sleeping"]), "sleeping"),
    "missing states": (Raw(), unique(by_state=["available"]), "missing: pending, running, scheduled"),
    "period under a second": (Raw(), unique(by_period=0.5), "1 second"),
    "period under a second as timedelta": (Raw(), unique(by_period=timedelta(milliseconds=1)), "1 second"),
    "negative period": (Raw(), unique(by_period=timedelta(seconds=-5)), "1 second"),
    "exclude_kind alone": (Raw(), unique(exclude_kind=True), "exclude_kind"),
    "exclude_kind with states only": (
        Raw(),
        unique(exclude_kind=True, by_state=["available", "pending", "running", "scheduled"]),
        "exclude_kind",
    ),
    "unique options of another type": (Raw(), InsertOpts(unique_opts={"by_args": True}), "UniqueOpts"),  # type: ignore[arg-type]
}


@pytest.fixture
def client(driver):
    return Client(driver)


@pytest.fixture
def engine(database_url):
    engine = sqlalchemy.create_engine(sqlalchemy_url(database_url, "psycopg"))
    yield engine
    engine.dispose()


@pytest.mark.parametrize("name", JOBS)
def test_a_job_that_cannot_be_stored_is_refused_before_any_sql(client, connection, name):
    args, opts, says = JOBS[name]
    connection.execute("CREATE TEMPORARY TABLE mine (n int) ON COMMIT DROP")
    connection.execute("INSERT INTO mine VALUES (1)")
    for call in (
        lambda: client.insert(args, opts, tx=connection),
        lambda: client.insert_many([Raw(), InsertManyParams(args, opts)], tx=connection),
        lambda: client.insert_many_fast([Raw(), InsertManyParams(args, opts)], tx=connection),
    ):
        with pytest.raises(InvalidJobError, match=says):
            call()
    assert connection.execute("SELECT count(*) FROM mine").fetchone() == (1,)
    assert connection.execute("SELECT count(*) FROM river_job").fetchone() == (0,)


def test_without_a_transaction_a_refused_job_asks_for_no_connection():
    client = Client(riverqueue_psycopg.Driver("host=/nowhere"))
    with pytest.raises(InvalidJobError):
        client.insert(Raw("[]"))


def test_an_empty_batch_is_refused(client):
    for call in (client.insert_many, client.insert_many_fast):
        with pytest.raises(InvalidJobError, match="no jobs to insert"):
            call([])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"schema": "no spaces"}, "schema is invalid"),
        ({"schema": 'quo"te'}, "schema is invalid"),
        ({"schema": ""}, "schema is invalid"),
        ({"schema": "s" * 47}, "46"),
        ({"schema": "nul\0"}, "schema is invalid"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"fetch_cooldown": 1}, "timedelta"),
        ({"fetch_cooldown": timedelta(0)}, "1 ms"),
        ({"hooks": [object()]}, "insert_begin"),
        ({"middleware": [object()]}, "insert_many"),
        ({"plugins": [object()]}, "insert_begin or work_begin"),
    ],
)
def test_an_option_that_cannot_work_is_refused(options, says):
    with pytest.raises(ConfigurationError, match=says):
        Client(riverqueue_psycopg.Driver("host=/nowhere"), **options)


def test_a_driver_is_needed():
    with pytest.raises(ConfigurationError, match=r"riverqueue_sqlalchemy\.Driver\(engine\)"):
        Client("postgresql://")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="AsyncClient cannot use Driver; use Client"):
        AsyncClient(riverqueue_psycopg.Driver("host=/nowhere"))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="Client cannot use AsyncDriver; use AsyncClient"):
        Client(riverqueue_psycopg.AsyncDriver("host=/nowhere"))  # type: ignore[arg-type]


def test_a_driver_says_what_it_can_be_made_from(engine):
    for make, says in [
        (lambda: riverqueue_psycopg.Driver(engine), "connection string"),
        (lambda: riverqueue_sqlalchemy.Driver("postgresql://"), "create_engine"),
        (lambda: riverqueue_sqlalchemy.Driver(object()), "must be made from"),
        (lambda: riverqueue_sqlalchemy.AsyncDriver(engine), r"use riverqueue_sqlalchemy\.Driver"),
        (lambda: riverqueue_sqlalchemy.Driver(sqlalchemy.create_engine("sqlite://")), "needs PostgreSQL"),
    ]:
        with pytest.raises(ConfigurationError, match=says):
            make()


def test_psycopg_refuses_what_is_no_transaction(client, database_url, engine):
    with psycopg.connect(database_url, autocommit=True) as autocommit:
        with pytest.raises(TransactionError, match="would commit at once"):
            client.insert(Raw(), tx=autocommit)
        with autocommit.transaction():
            client.insert(Raw(), tx=autocommit)
        with pytest.raises(TransactionError, match="pass its connection"):
            client.insert(Raw(), tx=autocommit.cursor())  # type: ignore[arg-type]
    with pytest.raises(TransactionError, match="closed"):
        client.insert(Raw(), tx=autocommit)
    with engine.connect() as foreign, pytest.raises(TransactionError, match="sqlalchemy.Connection"):
        client.insert(Raw(), tx=foreign)  # type: ignore[arg-type]
    with psycopg.connect(database_url) as failed:
        with pytest.raises(psycopg.errors.UndefinedTable):
            failed.execute("SELECT * FROM nothing")
        with pytest.raises(TransactionError, match="roll it back"):
            client.insert(Raw(), tx=failed)
        failed.rollback()
        client.insert(Raw(), tx=failed)


def test_sqlalchemy_refuses_what_is_no_transaction(database_url, engine):
    client = Client(riverqueue_sqlalchemy.Driver(engine))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as autocommit:
        with pytest.raises(TransactionError, match="AUTOCOMMIT"):
            client.insert(Raw(), tx=autocommit)
    with pytest.raises(TransactionError, match="closed"):
        client.insert(Raw(), tx=autocommit)
    with pytest.raises(TransactionError, match=r"engine\.begin"):
        client.insert(Raw(), tx=engine)  # type: ignore[arg-type]
    with pytest.raises(TransactionError, match=r"Session\.begin"):
        client.insert(Raw(), tx=sessionmaker(engine))  # type: ignore[arg-type]
    with psycopg.connect(database_url) as foreign, pytest.raises(TransactionError, match="psycopg.Connection"):
        client.insert(Raw(), tx=foreign)  # type: ignore[arg-type]
    with Session(engine) as session:
        with pytest.raises(sqlalchemy.exc.ProgrammingError):
            session.execute(sqlalchemy.text("SELECT * FROM nothing"))
        session.rollback()
        client.insert(Raw(), tx=session)


async def test_colours_are_told_apart(database_url, engine):
    async_engine = create_async_engine(sqlalchemy_url(database_url, "asyncpg"))
    client = AsyncClient(riverqueue_sqlalchemy.AsyncDriver(async_engine))
    sync = Client(riverqueue_sqlalchemy.Driver(engine))
    with Session(engine) as session, pytest.raises(TransactionError, match="use Client"):
        await client.insert(Raw(), tx=session)  # type: ignore[arg-type]
    async with async_engine.begin() as tx:
        with pytest.raises(TransactionError, match="use AsyncClient"):
            sync.insert(Raw(), tx=tx)  # type: ignore[arg-type]
        assert (await client.insert(Raw(), tx=tx)).job.kind == "raw_job"
    with pytest.raises(TransactionError, match="not started"):
        await client.insert(Raw(), tx=async_engine.connect())
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        by_psycopg = Client(riverqueue_psycopg.Driver(database_url))
        with pytest.raises(TransactionError, match="AsyncClient"):
            by_psycopg.insert(Raw(), tx=other)  # type: ignore[arg-type]
    await async_engine.dispose()


def test_savepoint_needs_a_transaction(client):
    with pytest.raises(TransactionError, match="pass tx="):
        client.insert(Raw(), savepoint=True)


def test_insert_tx_without_a_transaction_is_refused(client):
    with pytest.raises(TransactionError, match="tx is None"):
        client.insert_tx(None, Raw())
    with pytest.raises(TransactionError, match="tx is None"):
        client.insert_many_tx(None, [Raw()])


def test_missing_tables_are_named_and_the_transaction_is_usable(empty_database_url):
    with riverqueue_psycopg.Driver(empty_database_url) as driver, psycopg.connect(empty_database_url) as tx:
        tx.execute("CREATE TABLE mine ()")
        for client, says in [
            (Client(driver), "current schema: 'public'"),
            (Client(driver, schema="river"), "schema 'river'"),
        ]:
            with pytest.raises(SchemaError, match=says) as caught:
                client.insert(Raw(), tx=tx)
            assert "alembic upgrade head" in str(caught.value)
            with pytest.raises(SchemaError, match=says):
                client.insert(Raw())
        tx.execute("SELECT * FROM mine")


@pytest.mark.parametrize("version", [1, 3, 4, 5])
def test_tables_too_old_name_their_version(empty_database_url, version):
    import riverqueue_migrations

    engine = sqlalchemy.create_engine(sqlalchemy_url(empty_database_url, "psycopg"))
    client = Client(riverqueue_sqlalchemy.Driver(engine))
    with engine.begin() as connection:
        riverqueue_migrations.upgrade(connection, version=version)
    with engine.begin() as connection:
        says = f"at version {version}" if version > 1 else "are not in"
        with pytest.raises(SchemaError, match=says):
            client.insert(Raw(), tx=connection)
        riverqueue_migrations.upgrade(connection)
    with engine.begin() as connection:
        assert client.insert(Raw(), tx=connection).job.id
    engine.dispose()


def test_an_unreachable_server_is_said_to_be(tmp_path):
    url = f"postgresql:///nothing?host={tmp_path}"
    with pytest.raises(UnavailableError, match="cannot be reached"):
        Client(riverqueue_psycopg.Driver(url)).insert(Raw())
    for library in ("psycopg", "psycopg2"):
        engine = sqlalchemy.create_engine(sqlalchemy_url(url, library))
        with pytest.raises(UnavailableError, match="no connection"):
            Client(riverqueue_sqlalchemy.Driver(engine)).insert(Raw())
        with pytest.raises(UnavailableError), Client(riverqueue_sqlalchemy.Driver(engine)).transaction():
            pass


def test_an_unreachable_server_is_said_to_be_on_a_loop(tmp_path):
    url = f"postgresql:///nothing?host={tmp_path}"

    async def main() -> None:
        with pytest.raises(UnavailableError):
            await AsyncClient(riverqueue_psycopg.AsyncDriver(url)).insert(Raw())
        for library in ("psycopg", "asyncpg"):
            engine = create_async_engine(sqlalchemy_url(url, library))
            with pytest.raises(UnavailableError):
                await AsyncClient(riverqueue_sqlalchemy.AsyncDriver(engine)).insert(Raw())

    asyncio.run(main())


def test_hooks_cannot_smuggle_in_what_cannot_be_stored(database_url, connection):
    class Smuggler:
        def __init__(self, **changes: Any) -> None:
            self.changes = changes

        def insert_begin(self, params: Any) -> None:
            for name, value in self.changes.items():
                setattr(params, name, value)

    with riverqueue_psycopg.Driver(database_url) as driver:
        for changes in (
            {"encoded_args": '{}, "kind": "other"'},
            {"metadata": "[]"},
            {"queue": "Not Allowed"},
            {"kind": "no spaces"},
            {"priority": 9},
            {"tags": ["x"]},
            {"scheduled_at": datetime(2026, 1, 1)},
        ):
            with pytest.raises(InvalidJobError):
                Client(driver, hooks=[Smuggler(**changes)]).insert(Raw(), tx=connection)
        later = datetime.now(UTC) + timedelta(days=1)
        client = Client(driver, hooks=[Smuggler(scheduled_at=later, tags=["tagged"], metadata=json.dumps({"a": 1}))])
        job = client.insert(Raw(), tx=connection).job
        assert (job.scheduled_at, job.tags, job.metadata) == (later, ["tagged"], {"a": 1})


@pytest.mark.parametrize("stack", ["psycopg", "sqlalchemy-psycopg", "sqlalchemy-psycopg2"])
def test_a_job_refused_in_the_middle_of_a_large_copy_takes_the_others_with_it(database_url, connection, stack):
    if stack == "psycopg":
        driver: Any = riverqueue_psycopg.Driver(database_url)
        close = driver.close
    else:
        engine = sqlalchemy.create_engine(sqlalchemy_url(database_url, stack.removeprefix("sqlalchemy-")))
        driver, close = riverqueue_sqlalchemy.Driver(engine), engine.dispose
    client = Client(driver)
    jobs = [Raw('{"n":1}')] * 1700
    with pytest.raises(InvalidJobError, match="object") as caught:
        client.insert_many_fast([*jobs, Raw("[]"), *jobs])
    assert "1700" in "".join(caught.value.__notes__)
    assert connection.execute("SELECT count(*) FROM river_job").fetchone() == (0,)
    connection.rollback()
    assert client.insert_many_fast(jobs) == 1700
    assert connection.execute("SELECT count(*) FROM river_job").fetchone() == (1700,)
    close()


async def test_the_same_on_a_loop(database_url, connection):
    jobs = [Raw('{"n":1}')] * 1700
    async_engine = create_async_engine(sqlalchemy_url(database_url, "asyncpg"))
    other = create_async_engine(sqlalchemy_url(database_url, "psycopg"))
    async with riverqueue_psycopg.AsyncDriver(database_url) as driver:
        for made in (driver, riverqueue_sqlalchemy.AsyncDriver(async_engine), riverqueue_sqlalchemy.AsyncDriver(other)):
            client = AsyncClient(made)  # type: ignore[arg-type,var-annotated]
            with pytest.raises(InvalidJobError, match="object") as caught:
                await client.insert_many_fast([*jobs, Raw("[]"), *jobs])
            assert caught.value.__cause__ is None
            assert connection.execute("SELECT count(*) FROM river_job").fetchone() == (0,)
            connection.rollback()
            assert await client.insert_many_fast(jobs) == 1700
            connection.execute("DELETE FROM river_job")
            connection.commit()
    await async_engine.dispose()
    await other.dispose()


def test_a_large_copy_in_a_bound_transaction_is_refused_before_any_sql(connection):
    client = Client(riverqueue_psycopg.Driver(connection))
    client.insert(Raw())
    with pytest.raises(InvalidJobError):
        client.insert_many_fast([*[Raw()] * 1700, Raw("[]")])
    assert connection.execute("SELECT count(*) FROM river_job").fetchone() == (1,)
