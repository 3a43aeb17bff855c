"""What a process says of itself."""

from ingate.feature import Feature, Parts
from ingate.system.servicer import SystemServicer


def _servicer(parts: Parts) -> SystemServicer:
    system = SystemServicer(parts.database, parts.condition)
    parts.closing.push_async_callback(system.aclose)
    return system


FEATURE = Feature(servicers={"ingate.system.v1.SystemService": _servicer})
