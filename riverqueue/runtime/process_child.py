"""What a process does that works jobs for another: reads requests, calls functions, answers; all as JSON."""

import json
import logging
import multiprocessing
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing import connection
from pathlib import Path
from typing import Any

from riverqueue.args_decoding import decoder
from riverqueue.jobs import Job, JobRow
from riverqueue.outcomes import JobCancel, JobSnooze
from riverqueue.runtime.error_entry import text_of, trace_of, within
from riverqueue.work_context import WorkContext, enter

_FIELDS = ("name", "levelno", "levelname", "pathname", "filename", "module", "lineno", "funcName", "created", "msecs")


def serve(pipe: "connection.Connection[Any, Any]", units: Sequence[tuple[str, Any, Any]], level: int) -> None:
    """Work jobs until the other side closes the pipe or ends.

    Parameters:
        pipe: To the client's process.
        units: Kind, function and type of args of each worker.
        level: Of what is logged there.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the client's process decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.basicConfig(handlers=[_Passing(pipe)], level=level, force=True)
    workers = {kind: (function, decoder(args_type)) for kind, function, args_type in units}
    while True:
        try:
            request = json.loads(pipe.recv_bytes())
        except EOFError:
            return
        function, decode = workers[request["kind"]]
        answer = _worked(function, decode, JobRow((request["id"], request["row"])))
        pipe.send_bytes(json.dumps(answer).encode())


def _worked(function: Callable[[Any], Any], decode: Callable[[Any], Any], job: JobRow) -> dict[str, Any]:
    context = WorkContext(job, None)
    enter(context)
    raised, result = None, None
    try:
        result = function(Job(job, decode(job.args)))
        context.check_steps()
    except BaseException as error:
        context.keep_steps()
        raised = _spelled(error)
    returned = None if result is None else repr(result)[:200]
    return {"raised": raised, "returned": returned, "metadata": context.updates, "memory_mib": _memory_mib()}


def _spelled(error: BaseException) -> dict[str, Any]:
    if (snooze := within(error, JobSnooze)) is not None:
        return {"snooze": snooze.duration.total_seconds()}
    if isinstance(error, JobCancel):
        return {"cancel": None if error.reason is None else str(error.reason)}
    return {"error": text_of(error), "trace": trace_of(error)}


class _Passing(logging.Handler):
    """Passes what is logged to the client's process, where it is handled as if it had been logged there."""

    def __init__(self, pipe: "connection.Connection[Any, Any]") -> None:
        super().__init__()
        self._pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        fields = {name: getattr(record, name) for name in _FIELDS}
        fields["msg"] = record.getMessage()
        if record.exc_info:
            fields["exc_text"] = logging.Formatter().formatException(record.exc_info)
        self._pipe.send_bytes(json.dumps({"log": fields}).encode())


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _memory_mib() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize() >> 20
    except OSError:  # not Linux: the most it ever had
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most >> (20 if sys.platform == "darwin" else 10)
