"""What /proc tells of a process and everything below it. Linux only; knows nothing of how they were started."""

import os
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Stat(NamedTuple):
    """One process: parent and session id, state letter, CPU seconds (reaped children included), resident bytes."""

    parent: int
    session: int
    state: str
    cpu: float
    rss: int


def stat(pid):
    """Returns the `Stat` of a process, None when there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name may hold blanks and parentheses: the fields start after the last one.
    fields = text[text.rindex(")") + 2 :].split()
    ticks = sum(int(field) for field in fields[11:15])
    return Stat(int(fields[1]), int(fields[3]), fields[0], ticks / _TICKS, int(fields[21]) * _PAGE)


def alive(pid):
    """Whether a process exists and is not a zombie."""
    found = stat(pid)
    return found is not None and found.state not in "ZX"


def tree(root):
    """Returns {pid: Stat} of a process and its descendants that exist now, `root` first; empty when it is gone."""
    stats = _everyone()
    children = {}
    for pid, found in stats.items():
        children.setdefault(found.parent, []).append(pid)
    members = {}
    queue = [root] if root in stats else []
    while queue:
        pid = queue.pop()
        members[pid] = stats[pid]
        queue.extend(children.get(pid, ()))
    return members


def session(leader):
    """Returns {pid: Stat} of the processes in the session that `leader` opened, whether it still runs or not."""
    return {pid: found for pid, found in _everyone().items() if found.session == leader}


def cpu_seconds(root):
    """CPU time (user and system) the tree has used, reaped children included."""
    return sum(found.cpu for found in tree(root).values())


def rss_bytes(root):
    """Resident memory of the tree; pages shared by forked processes count once for each."""
    return sum(found.rss for found in tree(root).values())


def open_files(root):
    """Open file descriptors of the tree."""
    total = 0
    for pid in tree(root):
        try:
            total += sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total


def _everyone():
    names = (entry.name for entry in Path("/proc").iterdir())
    return {int(name): found for name in names if name.isdigit() and (found := stat(name))}
