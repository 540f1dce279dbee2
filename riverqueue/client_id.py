"""What a working client is called, in ``river_job.attempted_by`` for example (River's ``Config.ID``)."""

import socket
from datetime import datetime
from typing import Any

from riverqueue.errors import ConfigurationError

ID_BYTES_MAX = 100
_HOST_BYTES_MAX = 60


def generated(now: datetime, host: str | None = None) -> str:
    """Make an id of the host's name and the time, as River does: ``web1_2026_11_23T02_02_04_164954``.

    Parameters:
        now: The time, in UTC.
        host: The host's name; None asks for it.
    """
    name = (socket.gethostname() if host is None else host).replace(".", "_")
    name = name.encode()[:_HOST_BYTES_MAX].decode(errors="ignore") or "unknown_host"
    return f"{name}_{now:%Y_%m_%dT%H_%M_%S}_{now.microsecond:06d}"


def checked(value: Any) -> str:
    """Return an id if it can be one.

    Raises:
        ConfigurationError: if it is empty, too long, or no text.
    """
    if not isinstance(value, str) or not value or len(value.encode()) > ID_BYTES_MAX or "\0" in value:
        raise ConfigurationError(f"id must be text of 1 to {ID_BYTES_MAX} bytes, not {value!r}")
    return value
