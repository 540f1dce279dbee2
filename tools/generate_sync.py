"""Generate the sync faces from the async ones; ``--check`` fails if a file is not what it would be.

Plain word rules, in order. A rule that matches nothing in any file is an error: it would be a rule that
nobody needs, or a word that was renamed without it.
"""

import re
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "riverqueue"
SUITE = (
    "connections",
    "harness",
    "inserts",
    "jobs",
    "listening",
    "lists",
    "notifications",
    "queues",
    "servers",
    "transactions",
    "unique",
    "values",
)
FACES = ("base", "inserts", "jobs", "queues")
PAIRS = (
    {"async_client.py": "client.py", "async_database.py": "database.py"}
    | {f"faces/async_{name}.py": f"faces/{name}.py" for name in FACES}
    | {f"testing/conformance/async_{name}.py": f"testing/conformance/{name}.py" for name in SUITE}
)
RULES = [
    (
        r"River's client on an event loop\. ``client\.py`` is generated from this file\.",
        "River's client.",
    ),
    (r"use from many tasks at once", "use from many threads at once"),
    (r"``riverqueue_sqlalchemy\.AsyncDriver\(engine\)``", "``riverqueue_sqlalchemy.Driver(engine)``"),
    (r"asynchronous=True", "asynchronous=False"),
    (r"\basync_(base|database|harness|inserts|jobs|queues|work)\b", r"\1"),
    (r"\bAsync(Base|Client|Database|Driver|Executor|Inserts|Jobs|Listener|Queues|Work)\b", r"\1"),
    (r"\bAsync(ExitStack|Generator|Harness|Iterator)\b", r"\1"),
    (r"\bAbstractAsyncContextManager\b", "AbstractContextManager"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\bAwaitable\[(\w+)\]", r"\1"),
    (r"\bAwaitable, ", ""),
    (r"\benter_async_context\b", "enter_context"),
    (r"\b(finished|perform|settle|sleep|start|together)_async\b", r"\1"),
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
]


def generate(source: Path, matched: set[str]) -> str:
    """Return the sync form of one file, and note the rules that matched."""
    text = source.read_text(encoding="utf-8")
    for pattern, replacement in RULES:
        text, count = re.subn(pattern, replacement, text)
        if count:
            matched.add(pattern)
    text = f"# Generated from {source.name} by tools/generate_sync.py; do not edit.\n{text}"
    return _ruff(_ruff(text, "check", "--select", "I", "--fix", "--quiet"), "format")


def _ruff(text: str, *command: str) -> str:
    run = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(PACKAGE / "client.py"), "-"]
    return subprocess.run(run, input=text, capture_output=True, text=True, check=True).stdout  # noqa: S603


def main(check: bool) -> int:
    """Write the files, or compare them; return the exit status."""
    matched: set[str] = set()
    stale = []
    for source, target in PAIRS.items():
        text, path = generate(PACKAGE / source, matched), PACKAGE / target
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(target)
        elif not check:
            path.write_text(text, encoding="utf-8")
    unused = [pattern for pattern, _ in RULES if pattern not in matched]
    for problem in [f"stale: {name}; run tools/generate_sync.py" for name in stale] + [
        f"rule matches nothing: {pattern}" for pattern in unused
    ]:
        print(problem, file=sys.stderr)
    return 1 if stale or unused else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
