"""``riverqueue work``: work jobs."""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from riverqueue.cli.failures import Failure, explain
from riverqueue.cli.settings import Settings, with_debug

if TYPE_CHECKING:
    from riverqueue.cli.working.link import Link
    from riverqueue.cli.working.plan import Address, Plan

LEVELS = ("debug", "info", "warning", "error", "critical")


def _queue(text: str) -> tuple[str, int | None]:
    name, equals, count = text.partition("=")
    if not name or (equals and not (count.isdecimal() and int(count))):
        raise click.BadParameter(f"{text!r} is not a queue such as mail, or mail=20 for at most 20 jobs at once")
    return name, int(count) if equals else None


def _address(text: str) -> "Address":
    from riverqueue.cli.working.plan import Address

    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise click.BadParameter(f"{text!r} is not a port such as 8080, or an address such as 0.0.0.0:8080")
    return Address(host.strip("[]") or "127.0.0.1", int(port))


def _target(context: click.Context, parameter: click.Parameter, value: str) -> str:
    module, _, name = value.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        raise click.BadParameter(f"{value!r} is not MODULE:CLIENT, such as app.jobs:client", context, parameter)
    return value


@click.command()
@click.argument("target", metavar="MODULE:CLIENT", callback=_target)
@click.option(
    "--queue",
    "queues",
    type=_queue,
    multiple=True,
    metavar="NAME[=N]",
    help="Work only this queue, with at most N jobs at once; may be repeated.",
)
@click.option("--processes", type=click.IntRange(1), metavar="N", help="Have N processes do the work; restart them.")
@click.option(
    "--stop-timeout",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Kill what has not ended so long after it was asked to stop; default: wait.",
)
@click.option("--reload", "reloads", is_flag=True, help="Restart when a Python file changes; for development.")
@click.option(
    "--reload-dir",
    "reload_dirs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    multiple=True,
    metavar="DIR",
    help="Watch this directory; may be repeated; default: the current one.",
)
@click.option(
    "--health",
    type=_address,
    metavar="[HOST:]PORT",
    help="Answer GET /live and GET /ready here; default host: 127.0.0.1.",
)
@click.option(
    "--health-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Touch this file every second while jobs are worked.",
)
@click.option("--log-format", type=click.Choice(["text", "json"]), help="Default: text on a terminal, json elsewhere.")
@click.option("--log-level", type=click.Choice(LEVELS), help="Default: info.")
@click.option("--no-live", is_flag=True, help="Draw no line of numbers on a terminal.")
@click.option(
    "--loop",
    type=click.Choice(["auto", "asyncio", "uvloop"]),
    default="auto",
    help="Event loop; auto, the default, is uvloop if it is installed. The log says which.",
)
@with_debug
def work(settings: Settings, target: str, **options: Any) -> int:
    """Work jobs by the client that MODULE:CLIENT names, until SIGTERM or Ctrl-C.

    MODULE is imported from the current directory, or from what is installed. CLIENT is an AsyncClient or a Client; or
    a function without parameters that returns one, or returns a context manager that gives one.

    The first signal asks to stop: running jobs are waited for. The second cancels them; they are available again.
    """
    from riverqueue.cli.working.link import Link
    from riverqueue.cli.working.process import Process
    from riverqueue.cli.working.supervisor import Supervisor

    plan = _plan(settings, target, **options)
    link = Link.from_environment()
    if link is not None:
        return _work_for(link, plan)
    return Supervisor(plan).run() if plan.supervised else Process(plan).run()


def _plan(
    settings: Settings,
    target: str,
    *,
    queues: Sequence[tuple[str, int | None]],
    reloads: bool,
    reload_dirs: tuple[Path, ...],
    no_live: bool,
    **others: Any,
) -> "Plan":
    from riverqueue.cli.working.plan import Plan

    if settings.database_url or settings.schema or settings.statement_timeout:
        raise click.UsageError("the client says which database it is: --database-url and the like are not for work")
    if reload_dirs and not reloads:
        raise click.UsageError("--reload-dir is for --reload")
    folders = (reload_dirs or (Path.cwd(),)) if reloads else ()
    return Plan(
        target=target, queues=dict(queues), reload_dirs=folders, live=not no_live, debug=settings.debug, **others
    )


def _work_for(link: "Link", plan: "Plan") -> int:
    """Work for a supervisor, which is told what goes wrong."""
    from riverqueue.cli.working.process import Process

    try:
        return Process(plan, link).run()
    except Exception as error:
        if plan.debug:
            traceback.print_exception(error, file=sys.stderr)
        failure: Failure = explain(error)
        link.fail(failure)
        return failure.exit_code
    finally:
        link.close()
