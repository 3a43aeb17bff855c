"""The memory that bodies of requests may take while they are under way, whichever door they come in by.

Bytes count from the first that is kept, for the caller's address until it is known whose key was sent, then for the
organisation. Knows no protocol, and holds no bodies.
"""

from collections.abc import Callable

from ingate.errors import RateLimited, Unavailable

RETRY_SECONDS = 1.0
_LARGE = 256 * 1024
"""Bytes of a body from which on its age is known. Of those that do not all fit, the oldest do: if all were refused at
the same time, none of them would ever be complete."""


class BodyBudget:
    """Bytes of all bodies under way, bounded for the process, for each organisation and for each address.

    `in_use` is what is held now, `peak` the most that was since somebody set it. Belongs to one event loop.
    """

    __slots__ = ("_address", "_addresses", "_large", "_organisation", "_organisations", "_process", "in_use", "peak")

    def __init__(
        self, process: int = 128 * 1024 * 1024, organisation: int = 64 * 1024 * 1024, address: int = 32 * 1024 * 1024
    ) -> None:
        self._process = process
        self._organisation = organisation
        self._address = address
        self._addresses: dict[str, int] = {}
        self._organisations: dict[str, int] = {}
        self._large: dict[Lease, None] = {}  # the oldest first
        self.in_use = 0
        self.peak = 0

    @property
    def owners(self) -> int:
        """How many addresses and organisations hold bytes."""
        return len(self._addresses) + len(self._organisations)

    def _make_room(self, lease: "Lease", size: int) -> bool:
        """Has younger bodies give way to one that grows, the youngest first. Tells whether it fits then."""
        if lease not in self._large:
            return False
        own = max(lease.owned + size - lease.bound, 0)
        all_ = max(self.in_use + size - self._process, 0)
        giving: list[tuple[Lease, Callable[[], Exception]]] = []
        for other in reversed(self._large):
            if other is lease or not (own or all_):
                break
            shared = lease.shares(other)
            if other.can_give_way() and (shared or not own):
                giving.append((other, _too_many if own else _full))
                own = max(own - other.held, 0) if shared else own
                all_ = max(all_ - other.held, 0)
        if own or all_:
            return False  # what they would lose helps nobody
        for other, refusal in giving:
            other.give_way(refusal)
        return True

    def lease(self, address: str) -> "Lease":
        """Returns a lease without bytes, for a body from an address."""
        return Lease(self, address)

    def lease_for(self, organisation: str) -> "Lease":
        """Returns a lease without bytes, for a body of an organisation, by its id."""
        lease = Lease(self, "")
        lease.move(organisation)
        return lease


class Lease:
    """The share of one body. Whoever holds the body releases it; `held` are its bytes.

    When a body does not fit, younger ones that are not complete give way to it, if it fits then.
    """

    __slots__ = ("_accounts", "_bound", "_budget", "_owner", "held")

    def __init__(self, budget: BodyBudget, address: str) -> None:
        self._budget = budget
        self._accounts = budget._addresses
        self._bound = budget._address
        self._owner = address
        self.held = 0

    def grow(self, size: int) -> None:
        """Adds bytes.

        Raises RateLimited when the owner has too many under way, Unavailable when the process has; the lease is then
        as it was.
        """
        if not size:
            return
        budget, accounts, owner = self._budget, self._accounts, self._owner
        owned = accounts.get(owner, 0) + size
        in_use = budget.in_use + size
        if owned > self._bound or in_use > budget._process:
            if not budget._make_room(self, size):
                raise _too_many() if owned > self._bound else _full()
            owned = accounts.get(owner, 0) + size
            in_use = budget.in_use + size
        accounts[owner] = owned
        budget.in_use = in_use
        budget.peak = max(budget.peak, in_use)
        self.held += size
        if self.held > _LARGE:
            budget._large[self] = None

    @property
    def owned(self) -> int:
        """Bytes of all bodies of the owner."""
        return self._accounts.get(self._owner, 0)

    @property
    def bound(self) -> int:
        """Bytes that the owner may have."""
        return self._bound

    def shares(self, other: "Lease") -> bool:
        """Tells whether both have the same owner."""
        return self._accounts is other._accounts and self._owner == other._owner

    def can_give_way(self) -> bool:
        """Tells whether it may end with a refusal."""
        return False

    def give_way(self, refusal: Callable[[], Exception]) -> None:
        """Gives its bytes to an older body, and ends with a refusal. For a lease that can."""

    def move(self, organisation: str) -> None:
        """Counts the bytes, and those to come, for an organisation. Raises RateLimited; the lease is then released."""
        held, budget = self.held, self._budget
        accounts, bound = budget._organisations, budget._organisation
        if accounts is self._accounts and organisation == self._owner:
            return
        owned = accounts.get(organisation, 0) + held
        fits = owned <= bound
        if not fits:
            self.release()
        elif held:
            self._leave(held)
            accounts[organisation] = owned
        self._accounts, self._bound, self._owner = accounts, bound, organisation
        if not fits:
            raise _too_many()

    def release(self) -> None:
        """Gives back all bytes. May be called again."""
        held = self.held
        if held:
            self.held = 0
            self._budget.in_use -= held
            self._budget._large.pop(self, None)
            self._leave(held)

    def _leave(self, held: int) -> None:
        accounts, owner = self._accounts, self._owner
        left = accounts[owner] - held
        if left:
            accounts[owner] = left
        else:
            del accounts[owner]


def _full() -> Unavailable:
    return Unavailable("too many bytes of request bodies are under way", retry_after=RETRY_SECONDS)


def _too_many() -> RateLimited:
    return RateLimited("too many bytes of request bodies are under way for this caller", retry_after=RETRY_SECONDS)
