"""``riverqueue jobs …``: look after jobs."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from riverqueue.cli.connection import River, open_client
from riverqueue.cli.each import each
from riverqueue.cli.failures import ExitCode
from riverqueue.cli.output import print_json
from riverqueue.cli.settings import Settings, with_settings
from riverqueue.cli.watch import show_or_watch, with_watch
from riverqueue.errors import InvalidParamsError
from riverqueue.job_list_cursor import JobListCursor
from riverqueue.jobs import JobState

if TYPE_CHECKING:
    from riverqueue import JobDeleteManyParams, JobListParams, JobRow

CommandT = TypeVar("CommandT", bound=Callable[..., Any])

#: Jobs a statement, where all are asked for.
BATCH = 1000

_STATES = click.Choice([state.value for state in JobState])
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
_FILTERS = (
    click.option("--state", "states", type=_STATES, multiple=True, help="In this state; may be repeated."),
    click.option("--queue", "queues", multiple=True, metavar="NAME", help="In this queue; may be repeated."),
    click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Of this kind; may be repeated."),
    click.option(
        "--priority", "priorities", type=int, multiple=True, metavar="N", help="Of this priority; may be repeated."
    ),
)


def _with_filters(command: CommandT) -> CommandT:
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def _cursor(text: str) -> JobListCursor:
    try:
        return JobListCursor.from_text(text)
    except InvalidParamsError:
        raise click.BadParameter("it is no cursor: give the one that the page before named") from None


@click.group()
def jobs() -> None:
    """List, show, cancel, retry and delete jobs."""


@jobs.command("list")
@_with_filters
@click.option("--id", "ids", type=int, multiple=True, metavar="ID", help="With this id; may be repeated.")
@click.option("--tag", "tags_all", multiple=True, metavar="TAG", help="With this tag; repeated: with all of them.")
@click.option("--any-tag", "tags_any", multiple=True, metavar="TAG", help="With this tag; repeated: with any of them.")
@click.option("--metadata", metavar="JSON", help="Whose metadata contains this JSON object.")
@click.option(
    "--order-by",
    type=click.Choice(["id", "scheduled_at", "finalized_at", "time"]),
    default="id",
    help="time is attempted_at, finalized_at or scheduled_at, as fits the first --state. Default: id.",
)
@click.option("--desc", "descending", is_flag=True, help="From the end.")
@click.option("--limit", "first", type=click.IntRange(1, 10_000), metavar="N", help="At most so many; default: 100.")
@click.option("--after", type=_cursor, metavar="CURSOR", help="Go on after the page that named this cursor.")
@click.option("--all", "every_page", is_flag=True, help="List all, however many.")
@_json
@with_watch
@with_settings
def list_jobs(
    settings: Settings, first: int | None, every_page: bool, as_json: bool, every: float | None, **filters: Any
) -> None:
    """List jobs.

    A table on a terminal; elsewhere lines with tabs between the columns.
    """
    from riverqueue import JobListParams
    from riverqueue.cli.job_view import JOBS

    if every_page and first:
        raise click.UsageError("--all lists all: leave out --limit")
    params = JobListParams(first=BATCH if every_page else first or 100, **filters)
    with open_client(settings) as client:

        def fetch() -> "Iterable[JobRow]":
            return client.job_list_all(params) if every_page else _page(client, params, quiet=every is not None)

        show_or_watch(JOBS, fetch, settings, as_json=as_json, every=every)


def _page(client: River, params: "JobListParams", *, quiet: bool) -> "Iterable[JobRow]":
    found, cursor = client.job_list(params)
    yield from found
    if len(found) == params.first and not quiet:
        click.echo(f"There may be more. The next page: --after {cursor}", err=True)


@jobs.command("get")
@click.argument("job_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@with_settings
def get_job(settings: Settings, job_id: int, as_json: bool) -> None:
    """Show everything about a job.

    Its args, metadata, output, and errors with their traces.
    """
    from riverqueue.cli.job_view import describe, document

    with open_client(settings) as client:
        job = client.job_get(job_id)
    if as_json:
        print_json(document(job))
    else:
        click.echo(describe(job))


_ids = click.argument("job_ids", metavar="ID...", type=int, nargs=-1, required=True)


@jobs.command("cancel")
@_ids
@_json
@with_settings
def cancel_jobs(settings: Settings, job_ids: Sequence[int], as_json: bool) -> int:
    """Cancel jobs. A running job is asked to stop, and cancelled if it does."""
    with open_client(settings) as client:
        return each(job_ids, lambda job_id: _print(client.job_cancel(job_id), _cancelled, as_json))


def _cancelled(job: "JobRow") -> str:
    if job.state == JobState.RUNNING:
        return "running, asked to stop"
    # Asked for a job that is finalized, River changes nothing.
    return "cancelled" if job.state == JobState.CANCELLED else f"{job.state} already"


@jobs.command("retry")
@_ids
@_json
@with_settings
def retry_jobs(settings: Settings, job_ids: Sequence[int], as_json: bool) -> int:
    """Have jobs worked again, at once.

    Whether they wait, have failed or are completed.
    """
    with open_client(settings) as client:
        return each(job_ids, lambda job_id: _print(client.job_retry(job_id), lambda job: job.state.value, as_json))


@jobs.command("delete")
@click.argument("job_ids", metavar="[ID...]", type=int, nargs=-1)
@_with_filters
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many, by id; default: all.")
@click.option("--yes", is_flag=True, help="Do not ask before deleting by filters.")
@_json
@with_settings
def delete_jobs(
    settings: Settings, job_ids: Sequence[int], limit: int | None, yes: bool, as_json: bool, **filters: Sequence[Any]
) -> int:
    """Delete jobs, by id or by filters.

    By filters, all that fit them all. Running jobs stay.
    """
    given: dict[str, Any] = {name: values for name, values in filters.items() if values}
    if bool(job_ids) == bool(given):
        raise click.UsageError("give the ids of jobs, or else filters: --state, --queue, --kind, --priority")
    if job_ids and limit:
        raise click.UsageError("--limit goes with filters, not with ids")
    if given:
        return _delete_by_filters(settings, given, limit, yes, as_json)
    with open_client(settings) as client:
        return each(job_ids, lambda job_id: _print(client.job_delete(job_id), lambda _: "deleted", as_json))


def _delete_by_filters(settings: Settings, filters: dict[str, Any], limit: int | None, yes: bool, as_json: bool) -> int:
    from riverqueue import JobDeleteManyParams

    params = JobDeleteManyParams(**filters)
    if not yes and not _confirmed(settings, filters, limit):
        return ExitCode.FAILED
    count = 0
    with open_client(settings) as client:
        try:
            for batch in _batches(client, params, limit):
                count += len(batch)
                for job in batch if as_json else ():
                    _print(job, str, as_json)
        finally:  # what is deleted so far is deleted, whatever happens
            if not as_json:
                click.echo(f"deleted {count} {'job' if count == 1 else 'jobs'}")
    return 0


def _confirmed(settings: Settings, filters: Mapping[str, Sequence[Any]], limit: int | None) -> bool:
    if not (sys.stdin.isatty() if settings.terminal is None else settings.terminal):
        raise click.UsageError("where nobody can be asked, deleting by filters needs --yes")
    wanted = "; ".join(f"{name}: {', '.join(map(str, values))}" for name, values in filters.items())
    return click.confirm(f"Delete {f'at most {limit}' if limit else 'all'} jobs with {wanted}?", err=True)


def _batches(client: River, params: "JobDeleteManyParams", limit: int | None) -> "Iterator[Sequence[JobRow]]":
    """Delete by so many at a time that no statement takes long."""
    remaining = limit or sys.maxsize
    while remaining:
        asked = min(remaining, BATCH)
        batch = client.job_delete_many(replace(params, first=asked))
        yield batch
        remaining = remaining - asked if len(batch) == asked else 0


def _print(job: "JobRow", outcome: Callable[["JobRow"], str], as_json: bool) -> None:
    if as_json:
        from riverqueue.cli.job_view import document

        print_json(document(job))
    else:
        click.echo(f"job {job.id}: {outcome(job)}")
