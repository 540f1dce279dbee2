"""What the command line says of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens.

    Parameters:
        host: A name or an address.
        port: A port; 0 is any that is free.
    """

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to work, and how; `riverqueue work --help` says what each means."""

    target: str
    queues: Mapping[str, int | None]
    processes: int | None
    stop_timeout: float | None
    reload_dirs: tuple[Path, ...]
    health: Address | None
    health_file: Path | None
    log_format: str | None
    log_level: str | None
    live: bool
    loop: str
    debug: bool

    @property
    def supervised(self) -> bool:
        """Whether the work is done by other processes than this one."""
        return self.processes is not None or bool(self.reload_dirs)

    def child_words(self) -> list[str]:
        """Return the command line of a process that does the work."""
        queues = [f"--queue={name}" + (f"={count}" if count else "") for name, count in self.queues.items()]
        given = {"stop-timeout": self.stop_timeout, "log-format": self.log_format, "log-level": self.log_level}
        others = [f"--{name}={value}" for name, value in given.items() if value is not None]
        return ["work", self.target, *queues, *others, f"--loop={self.loop}", *(["--debug"] if self.debug else [])]
