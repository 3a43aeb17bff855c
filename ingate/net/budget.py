"""The memory that bodies of requests may take while they are under way, whichever door they come in by.

Bytes count from the first that is kept, for the caller's address until it is known whose key was sent, then for the
organisation. Knows no protocol, and holds no bodies.
"""

from ingate.errors import RateLimited, Unavailable

RETRY_SECONDS = 1.0


class BodyBudget:
    """Bytes of all bodies under way, bounded for the process, for each organisation and for each address.

    `in_use` is what is held now, `peak` the most that was since somebody set it. Belongs to one event loop.
    """

    __slots__ = ("_address", "_addresses", "_organisation", "_organisations", "_process", "in_use", "peak")

    def __init__(
        self, process: int = 256 * 1024 * 1024, organisation: int = 64 * 1024 * 1024, address: int = 32 * 1024 * 1024
    ) -> None:
        self._process = process
        self._organisation = organisation
        self._address = address
        self._addresses: dict[str, int] = {}
        self._organisations: dict[str, int] = {}
        self.in_use = 0
        self.peak = 0

    @property
    def owners(self) -> int:
        """How many addresses and organisations hold bytes."""
        return len(self._addresses) + len(self._organisations)

    def lease(self, address: str) -> "Lease":
        """Returns a lease without bytes, for a body from an address."""
        return Lease(self, self._addresses, self._address, address)

    def lease_for(self, organisation: str) -> "Lease":
        """Returns a lease without bytes, for a body of an organisation, by its id."""
        return Lease(self, self._organisations, self._organisation, organisation)


class Lease:
    """The share of one body. Whoever holds the body releases it; `size` are its bytes."""

    __slots__ = ("_accounts", "_bound", "_budget", "_owner", "size")

    def __init__(self, budget: BodyBudget, accounts: dict[str, int], bound: int, owner: str) -> None:
        self._budget = budget
        self._accounts = accounts
        self._bound = bound
        self._owner = owner
        self.size = 0

    def grow(self, size: int) -> None:
        """Adds bytes.

        Raises RateLimited when the owner has too many under way, Unavailable when the process has; the lease is then
        as it was.
        """
        if not size:
            return
        budget = self._budget
        owned = self._accounts.get(self._owner, 0) + size
        if owned > self._bound:
            raise RateLimited(
                "too many bytes of request bodies are under way for this caller", retry_after=RETRY_SECONDS
            )
        in_use = budget.in_use + size
        if in_use > budget._process:
            raise Unavailable("too many bytes of request bodies are under way", retry_after=RETRY_SECONDS)
        self._accounts[self._owner] = owned
        budget.in_use = in_use
        budget.peak = max(budget.peak, in_use)
        self.size += size

    def move(self, organisation: str) -> None:
        """Counts the bytes, and those to come, for an organisation. Raises RateLimited; the lease is then released."""
        size = self.size
        self.release()
        budget = self._budget
        self._accounts, self._bound = budget._organisations, budget._organisation
        self._owner = organisation
        self.grow(size)

    def release(self) -> None:
        """Gives back all bytes. May be called again."""
        size, self.size = self.size, 0
        if not size:
            return
        self._budget.in_use -= size
        left = self._accounts[self._owner] - size
        if left:
            self._accounts[self._owner] = left
        else:
            del self._accounts[self._owner]
