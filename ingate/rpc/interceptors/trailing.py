"""Trailing metadata that several hands write. gRPC keeps only what was set last, so all must merge."""

from typing import Any

Pairs = tuple[tuple[str, str | bytes], ...]


def trailing(context: Any, pairs: Pairs) -> Pairs:
    """Returns what the call's trailing metadata is with `pairs` in it, each name once, the given values winning."""
    names = {name for name, _ in pairs}
    kept = ((name, value) for name, value in context.trailing_metadata() or () if name not in names)
    return (*kept, *pairs)


def add_trailing(context: Any, pairs: Pairs) -> None:
    """Puts `pairs` into the call's trailing metadata and keeps the rest of it."""
    context.set_trailing_metadata(trailing(context, pairs))
