"""Prints which of River's own driver tests have none of ours, and why: ``python -m tests.manifest``."""

from tests.manifest.manifest import report

print(*report(), sep="\n")
