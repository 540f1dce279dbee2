"""Functions for worker processes, which import them."""

import ctypes
import logging
import os
import signal
import time
from datetime import timedelta
from pathlib import Path

from riverqueue import (
    JobCancel,
    JobSnooze,
    client_from_context,
    metadata_set,
    record_output,
    resumable_step,
    work_context,
)


def work(job):
    return globals()[f"do_{job.args['what']}"](job)


def do_pid(job):
    metadata_set("note", "kept")
    record_output(os.getpid())


def do_raise(job):
    raise ValueError("no \0 good")


def do_cancel(job):
    raise JobCancel("never")


def do_snooze(job):
    raise JobSnooze(timedelta(hours=1))


def do_exit(job):
    raise SystemExit(3)


def do_die(job):
    os.kill(os.getpid(), signal.SIGKILL)


def do_crash(job):
    ctypes.string_at(0)


def do_forever(job):
    record_output("lost")
    Path(job.args["file"]).write_text(f"{os.getpid()}\n")
    while True:  # holds the interpreter's lock but for moments
        sum(range(1000))


def do_client(job):
    client_from_context()


def do_log(job):
    logging.getLogger("app").warning("from job %d: %s", work_context().job.id, "äöü")
    try:
        raise KeyError("inner")
    except KeyError:
        logging.getLogger("app").exception("with a trace")


def do_steps(job):
    resumable_step("one", lambda: metadata_set("one", job.attempt))
    if job.attempt == 1:
        resumable_step("two", fail)
    resumable_step("two", lambda: metadata_set("two", job.attempt))


def fail():
    raise ValueError("step two")


def do_return(job):
    return "something"


def do_grow(job):
    globals()["grown"] = bytes(1) * (job.args["mib"] << 20)
    record_output(os.getpid())


def do_nap(job):
    record_output([os.getpid(), time.monotonic()])
