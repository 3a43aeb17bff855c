"""The figures of a run: printed as they come, and kept as JSON with what they depend on."""

import os
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec
from msgspec import Struct

CPU = "CPU"
"""The figure that ratios are made of."""


class Figure(Struct):
    """One figure of one way through a case: a value for each round."""

    case: str
    way: str
    name: str
    unit: str
    rounds: list[float]

    @property
    def middle(self) -> float:
        """The median of the rounds."""
        return median(self.rounds)


class Results(Struct):
    """All of a run. `about` says what was measured and where, as `machine.described` does."""

    about: dict[str, str]
    figures: list[Figure] = []

    def title(self, text: str) -> None:
        """Prints a heading with the load average, for figures of a busy machine are worth less."""
        print(f"\n{text}   (load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores)", flush=True)

    def figure(self, case: str, way: str, name: str, unit: str, rounds: Sequence[float], *, digits: int = 0) -> None:
        """Takes a figure and prints its least, median and greatest round."""
        self.figures.append(Figure(case, way, name, unit, list(rounds)))
        shown = " / ".join(f"{value:,.{digits}f}" for value in (min(rounds), median(rounds), max(rounds)))
        self.note(f"{way} {name}", f"{shown} {unit}")

    def note(self, label: str, text: str) -> None:
        """Prints what is no figure to compare."""
        print(f"  {label:<34} {text}", flush=True)

    def ratios(self, case: str) -> None:
        """Prints the gateway's CPU by that of each other way through a case."""
        cpu = {it.way: it.middle for it in self.figures if (it.case, it.name) == (case, CPU)}
        for way, middle in cpu.items():
            if way != "gateway":
                self.note(f"CPU by that of {way}", f"{cpu['gateway'] / middle:.2f}")

    def save(self, file: Path) -> None:
        """Writes all of it as JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.format(msgspec.json.encode(self)) + b"\n")


def load(file: Path) -> Results:
    """Returns what `save` wrote. Raises OSError, and msgspec.MsgspecError for what is none."""
    return msgspec.json.decode(file.read_bytes(), type=Results)


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the value below which a share (0 to 1) of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
