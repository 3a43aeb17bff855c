"""What stands between a caller and a password: who must wait, whose turn it is, and what counts as a failure."""

from collections.abc import Iterable
from dataclasses import dataclass

from ingate.auth.passwords import Passwords
from ingate.auth.throttle import Place, Throttle, place_of
from ingate.auth.turns import Rank, Turns
from ingate.errors import BadRequest
from ingate.rpc.principal import principal


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim to be an account's person: who, from where, and whether they signed in from there before."""

    account: str
    place: Place
    known: bool = False


class Guard:
    """Proves passwords and takes new ones. What it refuses is an error of `ingate.errors` and was not tried."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords
        self._turns = Turns()
        self.throttle = Throttle()

    @staticmethod
    def place() -> Place:
        """Returns where the caller is."""
        return place_of(principal().address)

    async def proves(self, claim: Claim, stored: str | None, password: str) -> bool:
        """Tells whether a password belongs to the hash, in the same time where there is none.

        A wrong one counts for the account and for the place, and as a guess where there is no hash. A right one from a
        known place is taken whatever failed there: what a stranger does must not keep the person out. Raises
        RateLimited or Unavailable.
        """
        rank = Rank.KNOWN if claim.known else self._rank(claim.place)
        self._check(claim)
        async with self._turns.turn(rank, claim.place.network, claim.place.address):
            # Again: others at the same place may have failed since, and only so many are tried.
            self._check(claim)
            right = await self._passwords.verify(stored, password)
            if not right:
                self._count(claim)
                if stored is None:
                    self.throttle.guessed(claim.place)
        return right

    async def proves_to_holder(self, held: str, stored: str, password: str) -> bool:
        """Tells the same to the holder of a session or an invitation, by its id, for which alone failures count."""
        place = self.place()
        self.throttle.check_holder(held)
        async with self._turns.turn(Rank.KNOWN, place.network, place.address):
            self.throttle.check_holder(held)
            right = await self._passwords.verify(stored, password)
            if not right:
                self.throttle.holder_failed(held)
        return right

    async def accept(self, field: str, password: str, names: Iterable[str], *, rank: Rank = Rank.STRANGER) -> str:
        """Returns the hash of a new password. Raises BadRequest naming the field where it is too weak."""
        place = self.place()
        async with self._turns.turn(rank, place.network, place.address):
            problem = await self._passwords.weakness(password, tuple(names))
            if problem is not None:
                raise BadRequest.field(field, problem)
            return await self._passwords.hash(password)

    def _rank(self, place: Place) -> Rank:
        return Rank.SUSPECT if self.throttle.suspect(place) else Rank.STRANGER

    def _check(self, claim: Claim) -> None:
        throttle = self.throttle
        if not claim.known:
            throttle.check(claim.place, claim.account)
        elif throttle.wait(claim.place, claim.account):
            throttle.check_known(claim.place, claim.account)

    def _count(self, claim: Claim) -> None:
        throttle = self.throttle
        if claim.known and throttle.wait(claim.place, claim.account):
            throttle.known_failed(claim.place, claim.account)
        else:
            throttle.failed(claim.place, claim.account)
