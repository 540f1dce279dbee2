"""The command ``riverqueue``: migrates, works jobs, inserts them, and looks after jobs and queues.

Each command imports what it needs when it runs, so that ``--help`` costs next to nothing.
"""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line. The script ``riverqueue`` and ``python -m riverqueue`` call this."""
    try:
        from riverqueue.cli.app import app
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        sys.exit("Error: the command line needs an extra: pip install 'riverqueue[cli]'")
    app.main(prog_name="riverqueue")
