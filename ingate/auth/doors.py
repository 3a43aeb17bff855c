"""Who may sign up, by the setting `signup`."""

from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from ingate.db import Database
from ingate.errors import Forbidden
from ingate.identity import founding

Mode = Literal["first", "invite", "open", "closed"]

_WHY = {
    "first": "INGATE_SIGNUP is first, and this installation has its first person",
    "invite": "INGATE_SIGNUP is invite",
    "closed": "INGATE_SIGNUP is closed",
}
_INVITED = "an owner or admin of an organisation can invite you"
_MADE = "whoever runs this installation can make an account for you with `ingate orgs create`"


class Doors:
    """The doors of an installation. Once there is a person, there is one for good."""

    def __init__(self, database: Database, mode: Mode) -> None:
        self._database = database
        self._mode = mode
        self._inhabited = False

    async def check(self) -> None:
        """Raises Forbidden, saying why and whom to ask, where nobody may sign up."""
        if self._mode == "first" and not self._inhabited:
            async with self._database.read() as db:
                self._inhabited = await founding.inhabited(db)
        self._judge(first=not self._inhabited)

    async def enter(self, db: AsyncSession) -> bool:
        """Checks again in the transaction of a sign-up, and returns whether it is the first.

        Of several that come at once, only one is, and the others wait for it.
        """
        if not self._inhabited:
            await founding.one_at_a_time(db, self._database)
            self._inhabited = await founding.inhabited(db)
        self._judge(first=not self._inhabited)
        return not self._inhabited

    def check_account(self) -> None:
        """Raises Forbidden where an invitation makes no new account."""
        if self._mode == "closed":
            self._judge(first=False)

    def _judge(self, *, first: bool) -> None:
        if self._mode == "open" or (self._mode == "first" and first):
            return
        whom = _MADE if self._mode == "closed" else _INVITED
        raise Forbidden(f"sign-up is closed: {_WHY[self._mode]}; {whom}", metadata={"setting": "signup"})
