"""Things that tests build once in a checkout, below .cache/, and again when what they are made of has changed."""

import fcntl
import hashlib
import os
from contextlib import contextmanager

from tests.support.tools import ROOT


def built(name, inputs, build):
    """Returns the directory `.cache/<name>`, which `build` has filled, given it, from the input files.

    Processes that ask for the same wait for one another. A build that fails or is broken off is done again.
    """
    directory = ROOT / ".cache" / name
    stamp = directory / "built"
    wanted = hashlib.sha256(
        b"\0".join(part for path in inputs for part in (bytes(path), path.read_bytes()))
    ).hexdigest()
    directory.mkdir(parents=True, exist_ok=True)
    with alone(directory):
        if not stamp.exists() or stamp.read_text() != wanted:
            # Removed first and written last.
            stamp.unlink(missing_ok=True)
            build(directory)
            stamp.write_text(wanted)
    return directory


def run_directory(tmp_path_factory):
    """Returns a directory that all workers of a run share; without workers, the run's own."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextmanager
def alone(directory):
    """Keeps other processes from doing the same in that directory; held by the process, so its death ends it."""
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
