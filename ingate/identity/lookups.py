"""Do ids that a request names belong to the organisation. What does is not deleted until the commit."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ingate.errors import BadRequest
from ingate.identity.tables import App, Team


async def require_team(db: AsyncSession, org_id: str, team_id: str | None) -> None:
    """Raises BadRequest for a team that the organisation does not have; none is fine."""
    mine = select(Team.id).where(Team.id == team_id, Team.org_id == org_id)
    if team_id and not await db.scalar(mine.with_for_update(read=True, key_share=True)):
        raise BadRequest.field("team_id", "is no team of the organisation")


async def require_app(db: AsyncSession, org_id: str, app_id: str | None) -> None:
    """Raises BadRequest for an application that the organisation does not have; none is fine."""
    mine = select(App.id).where(App.id == app_id, App.org_id == org_id)
    if app_id and not await db.scalar(mine.with_for_update(read=True, key_share=True)):
        raise BadRequest.field("app_id", "is no application of the organisation")
