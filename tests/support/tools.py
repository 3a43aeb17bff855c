"""Commands for tests to run: buf and the generator's, of the tools environment. Knows no test."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUF = ROOT / ".venv-tools" / "bin" / "buf"


def run(argv, *, path=(), cwd=ROOT, env=None, timeout=60.0):
    """Runs a command to its end and returns its standard output.

    path: directories to search before PATH. env: laid over this process's environment, a None value removes a
    variable. Raises AssertionError with all output when the command fails.
    """
    merged = {**os.environ, "PATH": os.pathsep.join([*map(str, path), os.environ["PATH"]]), **(env or {})}
    environment = {name: value for name, value in merged.items() if value is not None}
    command = [str(word) for word in argv]
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=timeout
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
