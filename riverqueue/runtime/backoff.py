"""How long to wait after failures in a row."""

import random

_SECONDS_MAX = 30.0


def backoff(failures: int) -> float:
    """Return seconds: a quarter after the first failure, then twice as long each time, a tenth more or less.

    Parameters:
        failures: How many there were in a row, at least one.
    """
    seconds = min(0.25 * 2 ** min(failures - 1, 16), _SECONDS_MAX)
    return float(seconds * random.uniform(0.9, 1.1))  # noqa: S311  (not for secrets)
