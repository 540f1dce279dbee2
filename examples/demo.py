"""River in ten seconds, on a PostgreSQL that is started for it: ``python -m examples.demo [--go]``.

An application reads the files of Python's standard library into a table of its own, and inserts a job for
each of them in the same transaction. Then the jobs are worked, here; or with ``--go``, by River's Go client.
"""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import alembic.command
import alembic.config
import psycopg
from psycopg.rows import dict_row
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import Engine, create_engine, func, select, text
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import Session

import riverqueue_psycopg
import riverqueue_sqlalchemy
from examples import go
from examples.stdlib import Base, DocumentFunction, IndexFile, ReportSizes, SourceFile, functions, modules, sources
from examples.workers import workers
from riverqueue import (
    AsyncClient,
    Client,
    EventKind,
    InsertOpts,
    JobRow,
    JobState,
    UniqueOpts,
    embedded,
)
from riverqueue.jobs import FINALIZED_STATES

ROOT = Path(__file__).parent.parent
BATCH = 2_000
DAY = timedelta(days=1)

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """Run the demo and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description="River for Python, shown.")
    parser.add_argument("--go", action="store_true", help="let River's Go client work the jobs")
    options = parser.parse_args()
    try:
        if options.go and (reason := go.missing()):
            console.print(f"[red]--go needs Go:[/] {escape(reason)}")
            return 1
        with embedded.start() as server:
            show(server)
            if options.go:
                go_works(server)
            else:
                asyncio.run(python_works(server))
            go_on(with_go=options.go)
    except embedded.EmbeddedError as error:
        console.print("[red]The demo needs PostgreSQL's programs:[/]", escape(str(error)))
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped. The server and its data are gone.")
        return 130
    return 0


def show(server: embedded.Server) -> None:
    """Show the three ways to insert, and what they leave."""
    headline(f"PostgreSQL {server.version} is running, for as long as this program does")
    migrate(server.url)
    engine = create_engine(server.sqlalchemy_url("psycopg"))
    Base.metadata.create_all(engine)
    session_and_jobs(engine)
    rollback(engine)
    engine.dispose()
    bulk(server.url)
    with psycopg.connect(server.url) as connection:
        summary(connection)


def migrate(url: str) -> None:
    """Create River's tables by Alembic, as in an application."""
    headline("alembic upgrade head")
    os.environ["DATABASE_URL"] = url
    alembic.command.upgrade(alembic.config.Config(ROOT / "alembic.ini"), "head")


def session_and_jobs(engine: Engine) -> None:
    """Write rows and insert jobs in one transaction of the ORM."""
    headline("An ORM session writes its rows and inserts a job for each, in one transaction")
    client = Client(riverqueue_sqlalchemy.Driver(engine))
    with Session(engine) as session, session.begin():
        files = modules()
        session.add_all(files)
        session.flush()  # gives the rows their ids
        client.insert_many([IndexFile(file.id, file.path) for file in files], tx=session)

        tomorrow = InsertOpts(scheduled_at=datetime.now(UTC) + DAY, unique_opts=UniqueOpts(by_period=DAY))
        first = client.insert(ReportSizes("stdlib"), tomorrow, tx=session)
        second = client.insert(ReportSizes("stdlib"), tomorrow, tx=session)
    console.print(f"committed: {counted(engine)}")
    console.print(
        f"a report for tomorrow, asked for twice: jobs {first.job.id} and {second.job.id}, "
        f"the second a duplicate: {second.unique_skipped_as_duplicated}"
    )


def rollback(engine: Engine) -> None:
    """Fail after a row and a job: neither stays."""
    headline("A second transaction fails after its insert, and leaves neither row nor job")
    client = Client(riverqueue_sqlalchemy.Driver(engine))
    try:
        with Session(engine) as session, session.begin():
            file = SourceFile(path="antigravity2.py", size=0, lines=0)
            session.add(file)
            result = client.insert(lambda: IndexFile(file.id, file.path), tx=session)
            console.print(f"inserted row {file.id} and job {result.job.id} …")
            raise RuntimeError("the file turned out to be missing")
    except RuntimeError as error:
        console.print(f"rolled back: {error}")
    console.print(f"as before:  {counted(engine)}")


def counted(engine: Engine) -> str:
    """Count the application's rows and River's jobs."""
    with Session(engine) as session:
        rows = session.scalar(select(func.count()).select_from(SourceFile))
        jobs = session.scalar(text("SELECT count(*) FROM river_job"))
    return f"{rows} rows in source_file, {jobs} jobs in river_job"


def bulk(url: str) -> None:
    """Copy many jobs in by psycopg."""
    headline("A psycopg script inserts a job for each function of the library, by COPY")
    found: list[DocumentFunction] = []
    with progress("reading", total=None) as bar:
        for path in bar.track(sources(), description="reading files"):
            found += functions(path)
    with (
        riverqueue_psycopg.Driver(url) as driver,
        psycopg.connect(url) as connection,
        progress("inserting jobs", total=len(found)) as bar,
    ):
        client = Client(driver)
        started = datetime.now(UTC)
        for start in range(0, len(found), BATCH):
            count = client.insert_many_fast(found[start : start + BATCH], tx=connection)
            bar.advance(bar.task_ids[0], count)
        connection.commit()
        took = (datetime.now(UTC) - started).total_seconds()
    console.print(f"committed: {len(found):,} jobs in one transaction, {took:.2f} s")


def summary(connection: psycopg.Connection) -> None:
    """Print what stands in River's table."""
    headline("What stands in river_job")
    groups = connection.execute(
        "SELECT kind, state::text, queue, count(*) FROM river_job GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    ).fetchall()
    print_rows(("kind", "state", "queue", "jobs"), [(*group[:3], f"{group[3]:,}") for group in groups])
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute("SELECT * FROM river_job ORDER BY id LIMIT 1").fetchone() or {}
    print_rows(("column", "the first job"), [(name, str(value)) for name, value in row.items()])


async def python_works(server: embedded.Server) -> None:
    """Work all jobs that are due."""
    headline("Workers, on an event loop, work them; an index is written in the transaction that completes its job")
    logging.getLogger("riverqueue.worker").setLevel(logging.CRITICAL)  # errors are shown here in another way
    engine = create_async_engine(server.sqlalchemy_url("psycopg"))
    driver = riverqueue_sqlalchemy.AsyncDriver(async_sessionmaker(engine))
    client = AsyncClient(driver, workers=workers, queues={"default": 100})
    due = (await client.job_count()).by_state[JobState.AVAILABLE]
    started = datetime.now(UTC)
    with progress("worked", total=due) as bar, client.subscribe(buffer=due) as events:
        async with client:
            left = due
            while left and (event := await events.get()) and event.job:
                if event.kind is not EventKind.JOB_COMPLETED:
                    bar.console.print(escape(f"{told(event.kind, event.job)}"))
                if event.job.state in FINALIZED_STATES:
                    bar.advance(bar.task_ids[0])
                    left -= 1
    took = (datetime.now(UTC) - started).total_seconds()
    await engine.dispose()
    console.print(f"worked: {due:,} jobs, {took:.1f} s")
    with psycopg.connect(server.url) as connection:
        summary(connection)


def told(kind: EventKind, job: JobRow) -> str:
    """Say what became of a job that was not simply completed."""
    errors = f": {job.errors[-1].error}" if job.errors else ""
    return f"{kind.value}: {job.kind} {job.args['path']}, now {job.state.value}{errors}"


def go_works(server: embedded.Server) -> None:
    """Let Go work all jobs that are due."""
    headline("River's Go client works them")
    with console.status("building the Go program (a minute, the first time) …"):
        program = go.build()
    with psycopg.connect(server.url, autocommit=True) as connection:
        (due,) = connection.execute("SELECT count(*) FROM river_job WHERE state = 'available'").fetchone() or (0,)
        with progress("worked", total=due) as bar:
            for number, line in enumerate(go.work(program, server.url), start=1):
                bar.advance(bar.task_ids[0])
                if number <= 5:
                    bar.console.print(escape(line))
                elif number == 6:
                    bar.console.print("…")
        summary(connection)


def go_on(*, with_go: bool) -> None:
    """Say what to look at next."""
    headline("Go on")
    if not with_go:
        console.print("make demo-go             the same, but River's Go client works the jobs")
    console.print("docs/getting-started.md  the same in your own program and database")
    console.print("docs/index.md            a map of the documentation")


# --- How it looks ---


def headline(title: str) -> None:
    """Print what comes next."""
    console.print(f"\n[bold cyan]{title}[/]")
    sys.stdout.flush()  # Alembic's log goes to the other stream


def print_rows(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a table."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Progress]:
    """Show a progress bar, which is left out where the output is piped."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bar:
        if total is not None:
            bar.add_task(what, total=total)
        yield bar


if __name__ == "__main__":
    sys.exit(main())
