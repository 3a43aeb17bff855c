"""How figures are printed: the least, the middle and the greatest of several rounds. Pure."""

import os
from collections.abc import Sequence
from statistics import median


def spread(values: Sequence[float], unit: str = "", digits: int = 0) -> str:
    """Returns `min / median / max unit`."""
    shown = " / ".join(f"{value:,.{digits}f}" for value in (min(values), median(values), max(values)))
    return f"{shown} {unit}".rstrip()


def percentile(values: Sequence[float], share: float) -> float:
    """Returns the value below which a share (0 to 1) of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def line(label: str, text: str) -> None:
    """Prints one figure."""
    print(f"  {label:<30} {text}", flush=True)


def title(text: str) -> None:
    """Prints a heading with the load average, for figures of a busy machine are worth less."""
    print(f"\n{text}   (load average {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores)", flush=True)
