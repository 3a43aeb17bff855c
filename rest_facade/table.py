"""Which dialect and which ingress answer at a path. Knows claims and dialects; neither rpcs nor the engine."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from urllib.parse import unquote

from rest_facade.claims import Claims
from rest_facade.dialects.base import Dialect, Ingress
from rest_facade.http1.owner import Owner
from rest_facade.router import RouteConflict


@dataclass(frozen=True, slots=True)
class OwnerTable:
    """The claims on paths and who answers there; `unclaimed` answers at all others. See `http1.owner.Table`."""

    epoch: int
    owners: tuple[tuple[Claims, Owner], ...]
    unclaimed: Owner
    heeded: frozenset[bytes]

    def owner(self, path: str) -> Owner:
        """Returns who answers at a raw path."""
        decoded = unquote(path) if "%" in path else path
        return next((owner for claims, owner in self.owners if claims(decoded)), self.unclaimed)


def owner_table(
    dialects: Sequence[Dialect],
    epoch: int,
    *,
    serve: Callable[[Dialect], Owner],
    proxy: Callable[[Dialect, Ingress], Owner],
) -> OwnerTable:
    """Returns the table. The first dialect has what nobody claims.

    `serve` and `proxy` make the owners. Raises `RouteConflict` naming the two that claim one path.
    """
    found: list[tuple[str, Claims, Owner]] = []
    heeded: set[bytes] = set()
    for dialect in dialects:
        found.append((f"the dialect {dialect.name}", dialect.claims, serve(dialect)))
        for ingress in dialect.ingresses:
            if ingress.claims is None:
                raise ValueError(f"the ingress {ingress.name} of {dialect.name} claims no path")
            found.append((f"the ingress {ingress.name} of {dialect.name}", ingress.claims, proxy(dialect, ingress)))
            heeded |= ingress.heeded
    for (name, claims, _), (other_name, other, _) in combinations(found, 2):
        if (path := claims.shared(other)) is not None:
            raise RouteConflict(f"{name} and {other_name} both claim {path}")
    first = dialects[0]
    unclaimed = found[0][2]
    if first.unclaimed is not None:
        unclaimed = proxy(first, first.unclaimed)
        heeded |= first.unclaimed.heeded
    return OwnerTable(epoch, tuple((claims, owner) for _, claims, owner in found), unclaimed, frozenset(heeded))
