"""How long a process takes that only imports: a driver alone, and an insert-only client on it."""

import subprocess
import sys
import time

from benchmarks.environments import variables
from benchmarks.samples import Samples

_SQLALCHEMY = "import sqlalchemy, sqlalchemy.dialects.postgresql.psycopg, psycopg"

PROGRAMS = {
    "nothing": "pass",
    "psycopg": "import psycopg",
    "psycopg + riverqueue": "import psycopg, riverqueue, riverqueue_psycopg",
    "SQLAlchemy": _SQLALCHEMY,
    "SQLAlchemy with its ORM": f"{_SQLALCHEMY}, sqlalchemy.orm",
    "SQLAlchemy + riverqueue": f"{_SQLALCHEMY}, riverqueue, riverqueue_sqlalchemy",
}


def measure(runs: int) -> Samples:
    """Time whole processes, one after the other; the first run of each is not counted."""
    samples = Samples("import: a whole process", "import", "ms")
    for number in range(runs + 1):
        for name, code in PROGRAMS.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], env=variables("ours"), check=True)
            if number:
                samples.add(name, (time.perf_counter() - began) * 1e3)
    return samples


def slowest(name: str, count: int = 12) -> list[tuple[float, str]]:
    """Return the modules whose own code took longest to import, in milliseconds, by ``-X importtime``."""
    command = [sys.executable, "-X", "importtime", "-c", PROGRAMS[name]]
    result = subprocess.run(command, env=variables("ours"), capture_output=True, text=True, check=True)
    found = []
    for line in result.stderr.splitlines()[1:]:
        own, _, module = line.removeprefix("import time:").split("|")
        found.append((int(own) / 1e3, module.strip()))
    return sorted(found, reverse=True)[:count]
