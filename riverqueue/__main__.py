"""``python -m riverqueue`` is the command ``riverqueue``."""

from riverqueue.cli import main

main()
