"""The command line. What it takes to run a command is imported when it is called."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INTERRUPTED = 130
"""The status of what Ctrl-C has ended, as shells have it."""


def main(arguments: list[str] | None = None) -> Any:
    """Runs the command line, and returns or raises SystemExit.

    Domain errors end it with their sentence and status 1, Ctrl-C quietly with status 130.
    """
    # gRPC's own lines on stderr are no JSON; what matters in them is raised as well.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    with _quiet_interrupts():
        import click

        from ingate.cli.root import group
        from ingate.errors import DomainError
        from ingate.logs import configure

    configure("warning")
    try:
        status = group.main(arguments, standalone_mode=False)
    except DomainError as error:
        click.echo(f"ingate: {error.message}", err=True)
        status = 1
    except click.UsageError as error:
        error.show()
        status = error.exit_code
    except click.ClickException as error:
        click.echo(f"ingate: {error.format_message()}", err=True)
        status = error.exit_code
    except click.Abort as error:
        interrupted = isinstance(error.__cause__ or error.__context__, KeyboardInterrupt)
        status = INTERRUPTED if interrupted else 1
        if not interrupted:
            click.echo("ingate: nothing was done", err=True)
    if status:
        raise SystemExit(status)


@contextmanager
def _quiet_interrupts() -> Iterator[None]:
    """Lets Ctrl-C end the process without a word, as long as there is nothing to clean up."""
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
