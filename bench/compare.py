"""`python -m bench compare A B`: the figures of two runs side by side. Runs nothing."""

from pathlib import Path

import msgspec

from bench.results import CPU, Results, load

_YARDSTICKS = ("nginx", "envoy")


def run(files: tuple[Path, Path]) -> str | None:
    """Prints what both runs measured, B by A: below 1 it is less. Returns why it cannot."""
    try:
        before, after = map(load, files)
    except (OSError, msgspec.MsgspecError) as error:
        return f"cannot compare: {error}"
    for name, one in before.about.items():
        other = after.about.get(name, "none")
        print(f"{name:<12} {one if one == other else f'{one}  →  {other}'}")
    _print("median of rounds", _medians(before), _medians(after))
    _print("gateway's CPU by that of", _ratios(before), _ratios(after))
    return None


def _medians(results: Results) -> dict[str, float]:
    return {f"{it.case}: {it.way} {it.name}, {it.unit}": it.middle for it in results.figures}


def _ratios(results: Results) -> dict[str, float]:
    cpu = {(it.case, it.way): it.middle for it in results.figures if it.name == CPU}
    return {
        f"{case}: {way}": cpu[case, "gateway"] / middle for (case, way), middle in cpu.items() if way in _YARDSTICKS
    }


def _print(title: str, before: dict[str, float], after: dict[str, float]) -> None:
    print(f"\n{title:<58} {'A':>10} {'B':>10} {'B/A':>6}")
    for name, one in before.items():
        if name in after:
            other = after[name]
            print(f"{name:<58} {one:>10,.2f} {other:>10,.2f} {other / one if one else 1:>6.2f}")
