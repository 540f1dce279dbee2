"""What a worker raises to end an attempt otherwise than well or by an error (River's ``JobCancel``, ``JobSnooze``)."""

from datetime import timedelta

from riverqueue.errors import ConfigurationError


class JobCancel(Exception):  # noqa: N818  (River's word)
    """Cancels the job that raises it: it is not tried again.

    Parameters:
        reason: Stored as the attempt's error, after ``JobCancelError: ``.
    """

    def __init__(self, reason: object = None) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"JobCancelError: {'<nil>' if self.reason is None else self.reason}"


class JobSnooze(Exception):  # noqa: N818  (River's word)
    """Puts the job that raises it off: it is worked again later, and the attempt does not count.

    Parameters:
        duration: How long to wait; zero is at once.

    Raises:
        ConfigurationError: if it is no timedelta, or negative.
    """

    def __init__(self, duration: timedelta) -> None:
        if not isinstance(duration, timedelta) or duration < timedelta(0):
            raise ConfigurationError(f"JobSnooze takes a timedelta that is not negative, not {duration!r}")
        super().__init__(duration)
        self.duration = duration

    def __str__(self) -> str:
        return f"JobSnoozeError: {self.duration}"


#: The error that a cancellation from outside leaves, in River's words.
CANCELLED_REMOTELY = "JobCancelError: job cancelled remotely"
