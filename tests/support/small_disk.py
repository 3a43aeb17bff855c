"""A file system of a few megabytes, and how to fill it."""

import contextlib
import os
import subprocess

import pytest


@contextlib.contextmanager
def small_disk(path, megabytes):
    """Mounts one at `path`, where this machine lets us; else the test is skipped, which pytest reports."""
    path.mkdir()
    options = f"size={megabytes}m,mode=0700"
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", path], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)


def fill(path):
    """Takes all the room that is left, to the last page, in a file that is returned."""
    filler = path / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (2**20, 2**12, 1):
            with contextlib.suppress(OSError):
                while True:
                    os.write(file.fileno(), bytes(size))
    return filler
