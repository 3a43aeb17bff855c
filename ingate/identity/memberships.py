"""Which organisations a person may act in. The interceptors ask."""

from sqlalchemy import select

from ingate.db import Database
from ingate.identity.tables import Member, Org
from ingate.rpc.interceptors.tenancy import Standing


class Memberships:
    """Memberships from the database, for every call anew."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def standing(self, user_id: str, org_id: str) -> Standing | None:
        """Returns a person's role and plan in an organisation, None where they are no member."""
        query = select(Member.role, Org.plan).join(Org, Org.id == Member.org_id)
        async with self._database.read() as db:
            row = (await db.execute(query.where(Member.user_id == user_id, Member.org_id == org_id))).one_or_none()
        return Standing(role=row.role, plan=row.plan) if row is not None else None
