"""How a gateway process is, as it says itself: what is wrong, by name, and its counters. Waits for nothing."""

from dataclasses import dataclass, fields

from gen.ingate.system.v1 import system_service_pb2 as pb
from ingate.proxy.engine import Engine
from ingate.proxy.journal import Counts, Shipper
from ingate.proxy.recorder import Recorder
from ingate.proxy.refusals import Refusals
from ingate.supervision import Supervisor

_SHOWN = {
    "bytes": "bytes",
    "pending": "pending",
    "reserve_bytes": "reserve",
    "shed_payloads": "shed_payloads",
    "shed_records": "shed_records",
    "incomplete": "incomplete",
    "rejected": "rejected",
    "slowed_calls": "slowed",
    "refused_calls": "refused",
    "unrecorded_calls": "unrecorded",
}
"""Fields of the message, and the counters that they show."""
assert set(_SHOWN.values()) <= {field.name for field in fields(Counts)}


@dataclass(slots=True)
class Condition:
    """The parts that tell. `unready` is why the process is not ready, whatever they say; empty where nothing is."""

    engine: Engine
    recorder: Recorder
    counts: Counts
    shipper: Shipper
    supervisor: Supervisor
    refusals: Refusals
    unready: str = ""

    def refusing(self) -> str | None:
        """Returns why calls are refused, by name, None when they are not."""
        return self._unrecordable() if self.recorder.when_unrecorded == "refuse" else None

    def degraded(self) -> dict[str, str]:
        """Returns what is wrong, by name, each with a few words for an operator."""
        room, counts, found = self.recorder.room, self.counts, {}
        trouble = self._unrecordable()
        held = f"{counts.bytes} of {room.max_bytes} bytes, {counts.pending} records wait"
        if trouble == "journal_full":
            found["journal_full"] = held
        elif room.strain() and room.disk is None:
            found["journal_filling"] = held
        if room.disk is not None:
            found[room.disk] = f"{room.error}, {counts.reserve} bytes are left for records without payload"
        if trouble is not None and self.recorder.when_unrecorded == "serve":
            found["unrecorded"] = f"{counts.unrecorded} calls were served that could not be recorded"
        if self.shipper.failing:
            found["not_shipping"] = self.shipper.failing
        for job in self.supervisor.troubled():
            state = "runs again" if job.running else "is down"
            found[f"job:{job.name}"] = f"{state} after {job.restarts} restarts, died of {job.error}"
        return found

    def parts(self) -> pb.Parts:
        """Returns all of it as a message."""
        room = self.recorder.room
        journal = pb.Journal(
            max_bytes=room.max_bytes,
            disk_error=room.error or None,
            ship_error=self.shipper.failing or None,
            **{name: getattr(self.counts, counter) for name, counter in _SHOWN.items()},
        )
        jobs = [
            pb.Job(name=job.name, running=job.running, restarts=job.restarts, error=job.error or None)
            for job in self.supervisor.jobs
        ]
        refused = {reason.lower(): count for reason, count in self.refusals.counts.items()}
        return pb.Parts(degraded=sorted(self.degraded()), journal=journal, jobs=jobs, refused=refused)

    def _unrecordable(self) -> str | None:
        room = self.recorder.room
        return room.refuses(self.engine.in_flight) if room.weigh() else None
