"""``riverqueue insert``: insert a job."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from riverqueue import encoding
from riverqueue.cli.connection import open_client
from riverqueue.cli.output import print_json
from riverqueue.cli.settings import Settings, with_settings
from riverqueue.cli.types import duration, time, words
from riverqueue.insert_opts import InsertOpts, UniqueOpts

if TYPE_CHECKING:
    from riverqueue import InsertResult


@dataclass(frozen=True)
class _Args:
    """Args as they were typed: River checks the text, and keeps it as it is."""

    kind: str
    text: str

    def to_json(self) -> str:
        return self.text


@click.command()
@click.argument("kind")
@click.argument("args", metavar="JSON")
@click.option("--queue", metavar="NAME", help="Queue to put it in; default: default.")
@click.option("--priority", type=int, metavar="N", help="1 (first) to 4 (last); default: 1.")
@click.option("--max-attempts", type=int, metavar="N", help="Attempts before it is discarded; default: 25.")
@click.option("--scheduled-at", type=time, metavar="TIME", help="Not before this time, such as 2030-01-31T09:00:00Z.")
@click.option("--tag", "--tags", "tags", multiple=True, metavar="WORD,…", help="Words to find it by; may be repeated.")
@click.option("--metadata", metavar="JSON", help="A JSON object to keep beside the args.")
@click.option("--pending", is_flag=True, help="Not worked until something makes it available.")
@click.option("--unique-by-args", is_flag=True, help="Not if there is a job of this kind with these args.")
@click.option(
    "--unique-by-arg", "paths", multiple=True, metavar="PATH", help="The same, by one of the args; may be repeated."
)
@click.option("--unique-by-period", type=duration, help="Jobs are the same only within such a period, such as 24h.")
@click.option("--unique-by-queue", is_flag=True, help="Jobs are the same only within one queue.")
@click.option(
    "--unique-by-state", "states", multiple=True, metavar="STATE", help="States in which a job counts; repeated."
)
@click.option("--json", "as_json", is_flag=True, help="Print the job as a JSON object.")
@with_settings
def insert(
    settings: Settings,
    kind: str,
    args: str,
    *,
    queue: str | None,
    priority: int | None,
    max_attempts: int | None,
    scheduled_at: datetime | None,
    tags: Sequence[str],
    metadata: str | None,
    pending: bool,
    as_json: bool,
    **unique: Any,
) -> None:
    """Insert a job: its KIND, and its args as a JSON object.

    JSON is the text itself, - for standard input, or @FILE for a file's content.
    """
    opts = InsertOpts(
        max_attempts=max_attempts,
        priority=priority,
        queue=queue,
        scheduled_at=scheduled_at,
        tags=words(tags),
        unique_opts=_unique_opts(**unique),
        metadata=metadata,
        pending=pending,
    )
    text = _text(args)
    with open_client(settings) as client:
        _print(client.insert(_Args(kind, text), opts), as_json=as_json)


def _text(args: str) -> str:
    text = encoding.checked(_read(args), "JSON")
    if not text.lstrip().startswith("{"):
        raise click.BadParameter("it must be an object, {...}", param_hint="JSON")
    return text


def _read(args: str) -> str:
    if args == "-":
        return sys.stdin.read()
    if args.startswith("@"):
        try:
            return Path(args[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise click.BadParameter(f"it cannot be read: {error}", param_hint="JSON") from error
    return args


def _unique_opts(
    unique_by_args: bool,
    paths: Sequence[str],
    unique_by_period: timedelta | None,
    unique_by_queue: bool,
    states: Sequence[str],
) -> UniqueOpts | None:
    if not (unique_by_args or paths or unique_by_period or unique_by_queue or states):
        return None
    return UniqueOpts(
        by_args=list(paths) or unique_by_args or None,
        by_period=unique_by_period,
        by_queue=unique_by_queue or None,
        by_state=words(states) or None,
    )


def _print(result: "InsertResult", *, as_json: bool) -> None:
    job, skipped = result
    if as_json:
        from riverqueue.cli.job_view import document

        print_json(document(job) | {"unique_skipped_as_duplicated": skipped})
    elif skipped:
        click.echo(f"not inserted: job {job.id} is the same ({job.kind}, {job.state})")
    else:
        click.echo(f"inserted job {job.id}: {job.kind}, queue {job.queue}, {job.state}")
