"""The command line. What it takes to run a command is imported when it is called."""

import errno
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

INTERRUPTED = 130
"""The status of what Ctrl-C has ended, as shells have it."""
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""What a file or a terminal says that takes no output."""


def main(arguments: list[str] | None = None) -> Any:
    """Runs the command line, and returns or raises SystemExit.

    Domain errors, and output that cannot be written, end it with their sentence and status 1, Ctrl-C quietly with
    status 130.
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
        _check(sys.argv[1:] if arguments is None else arguments)
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
    except OSError as error:
        if error.errno not in _UNWRITABLE or error.filename is not None:
            raise
        click.echo(f"ingate: what was done cannot be printed: {error.strerror}", err=True)
        status = 1
    if status:
        raise SystemExit(status)


def _check(arguments: Sequence[str]) -> None:
    """Raises BadRequest for what no command can take, before any has done something."""
    from ingate.errors import BadRequest

    if sys.stdout is None:
        # A secret is printed once, and the next file that is opened would be the output of everything.
        raise BadRequest("standard output is closed: give it a file, such as /dev/null")
    for number, argument in enumerate(arguments, 1):
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise BadRequest(f"argument {number} is not UTF-8") from None


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
