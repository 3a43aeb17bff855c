"""What a run's figures depend on: the commit, the interpreter, the machine, and what it is compared with."""

import os
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path
from shutil import which

from bench import envoy

_ROOT = Path(__file__).resolve().parents[1]


def described() -> dict[str, str]:
    """Returns it by name, for people and for `compare`."""
    return {
        "commit": commit(),
        "interpreter": interpreter(),
        "machine": f"{os.cpu_count()} cores of {_processor()}, {platform.system()} {platform.release()}",
        "nginx": _first_line("nginx", "-v"),
        "envoy": _first_line(str(envoy.path() or "envoy"), "--version"),
    }


def commit(root: Path = _ROOT) -> str:
    """Returns the commit of a checkout, with `-changed` behind it where something is not committed."""
    git = ["git", "-C", str(root)]
    named = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False)
    if named.returncode:
        return "unknown"
    changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True).stdout
    return named.stdout.strip() + ("-changed" if changed else "")


def interpreter() -> str:
    """Returns the interpreter's name and version, its compiler, and whether a profile guided its compilation."""
    options = str(sysconfig.get_config_var("CONFIG_ARGS"))
    guided = "profile-guided" if "--enable-optimizations" in options else "not profile-guided"
    linked = ", link-time optimised" if "--with-lto" in options else ""
    version = ".".join(map(str, sys.version_info[:3]))
    return f"{platform.python_implementation()} {version} by {platform.python_compiler()}, {guided}{linked}"


def _processor() -> str:
    facts = Path("/proc/cpuinfo")
    for line in facts.read_text().splitlines() if facts.exists() else ():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _first_line(command: str, option: str) -> str:
    if which(command) is None:
        return "none"
    done = subprocess.run([command, option], capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip().partition("\n")[0]
