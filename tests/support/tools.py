"""Commands for tests to run: buf and the generator's, of the tools environment. Knows no test."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUF = ROOT / ".venv-tools" / "bin" / "buf"


def run(argv, *, path=(), cwd=ROOT, timeout=60.0):
    """Runs a command to its end and returns its standard output.

    path: directories to search before PATH. Raises AssertionError with all output when the command fails.
    """
    environment = {**os.environ, "PATH": os.pathsep.join([*map(str, path), os.environ["PATH"]])}
    command = [str(word) for word in argv]
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=timeout
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
