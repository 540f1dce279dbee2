"""``riverqueue version``."""

import click


def print_version() -> None:
    """Print what runs."""
    import platform
    from importlib.metadata import version as installed

    click.echo(f"riverqueue version {installed('riverqueue')}\nPython {platform.python_version()}")


@click.command()
def version() -> None:
    """Print the version."""
    print_version()
