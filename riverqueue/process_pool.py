"""The processes in which CPU-bound work is done."""

import os
from dataclasses import dataclass

from riverqueue.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ProcessPool:
    """How a client keeps the processes that its workers with ``executor="process"`` run in.

    A process is made when one is needed, does one job at a time, and is killed if that job's time is over or the job is
    cancelled.

    Parameters:
        max_processes: Most processes at once; default: as many as there are processors.
        max_jobs: After so many jobs a process is replaced; default: never.
        max_memory_mib: When a process has grown beyond so many MiB after a job, it is replaced; default: never.

    Raises:
        ConfigurationError: if a value is not a positive integer.
    """

    max_processes: int | None = None
    max_jobs: int | None = None
    max_memory_mib: int | None = None

    def __post_init__(self) -> None:
        for name in ("max_processes", "max_jobs", "max_memory_mib"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < 1):
                raise ConfigurationError(f"{name} must be a positive integer, not {value!r}")

    @property
    def size(self) -> int:
        """Most processes at once."""
        return self.max_processes or os.cpu_count() or 1
