"""`python -m bench`: measures the gateway beside a bare nginx and prints the figures."""

import argparse
import shutil
import tempfile
from pathlib import Path

from bench import chat, loads, memory, start, stream

LOADS = {load.name: load for load in (loads.CHAT, loads.VARIED, loads.LARGE)}
CASES = (*LOADS, "stream", "start", "memory")
BESIDE_NGINX = {*LOADS, "stream"}
MISSING = "The bench needs nginx and wrk: install them with `apt-get install nginx-light wrk` (or your system's own)."


def main() -> None:
    """Reads the options and runs the cases. Exits with 2 when a tool is missing."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=CASES, help="measure this case alone")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each case (default 3)")
    parser.add_argument("--seconds", type=int, default=6, help="seconds of load in a round (default 6)")
    parser.add_argument("--beside", type=Path, help="the root of another checkout, whose gateway is measured too")
    parser.add_argument("--profile", action="store_true", help="run the gateway of whole answers under cProfile")
    options = parser.parse_args()
    cases = (options.only,) if options.only else CASES
    if BESIDE_NGINX.intersection(cases) and not (shutil.which("nginx") and shutil.which("wrk")):
        parser.exit(2, MISSING + "\n")
    with tempfile.TemporaryDirectory(prefix="ingate-bench-") as made:
        directory = Path(made)
        directory.chmod(0o711)  # started by root, nginx reads as nobody
        for name, load in LOADS.items():
            if name in cases:
                chat.run(
                    directory,
                    load,
                    rounds=options.rounds,
                    seconds=options.seconds,
                    beside=options.beside,
                    profile=options.profile,
                )
        if "stream" in cases:
            stream.run(directory, rounds=options.rounds, seconds=options.seconds, beside=options.beside)
        if "start" in cases:
            start.run(directory, rounds=options.rounds)
        if "memory" in cases:
            memory.run(directory)


if __name__ == "__main__":
    main()
