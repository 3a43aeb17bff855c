"""What the journal has done, as numbers a metrics page can read. It does not know how they are published."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Gauges first, then counters since the process started. Plain integers, written on the loop's thread only."""

    bytes: int = 0
    """Gauge: bytes of all segment files this process holds, adopted ones included."""
    segments: int = 0
    """Gauge: segment files this process holds."""
    pending: int = 0
    """Gauge: records appended by this process and not yet accepted (those of adopted segments are not counted)."""
    mirrored: int = 0
    """Gauge: bytes of pending records that are also in memory."""
    reserve: int = 0
    """Gauge: bytes of the disk that are held for light records."""
    records: int = 0
    """Records appended."""
    shipped: int = 0
    """Records the receiver accepted."""
    shed_payloads: int = 0
    """Records that were kept in their light form for want of room."""
    shed_records: int = 0
    """Records that were not kept at all: no room, or the disk refused the write."""
    incomplete: int = 0
    """Records that could not be made whole, and were kept with what is certain of their exchange."""
    slowed: int = 0
    """Calls that waited before they were admitted, for the journal to be emptied."""
    refused: int = 0
    """Calls that were refused because they could not have been recorded."""
    unrecorded: int = 0
    """Calls that were admitted though they could not be recorded."""
    taken_over: int = 0
    """Segments of dead processes that were taken over after the start."""
    corrupt: int = 0
    """Frames skipped while reading: bad checksums, torn tails and broken chains, each counted once."""
    unreadable: int = 0
    """Segment files that could not be opened or read."""
    rejected: int = 0
    """Records the receiver refused for good."""
    dead_letters_shed: int = 0
    """Rejected records that could not be kept in the dead-letter file: it is full, or the disk refused the write."""
