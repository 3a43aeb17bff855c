"""What organisations, their people, teams and apps add to a process."""

from ingate.feature import Feature, Parts
from ingate.orgs.app_servicer import AppServicer
from ingate.orgs.member_servicer import MemberServicer
from ingate.orgs.org_servicer import OrgServicer
from ingate.orgs.team_servicer import TeamServicer


def _orgs(parts: Parts) -> OrgServicer:
    return OrgServicer(
        parts.database,
        parts.changes,
        parts.purges,
        default_plan=parts.settings.default_plan,
        closed=parts.settings.signup == "closed",
    )


FEATURE = Feature(
    servicers={
        "ingate.orgs.v1.AppService": lambda parts: AppServicer(parts.database, parts.changes),
        "ingate.orgs.v1.MemberService": lambda parts: MemberServicer(parts.database, parts.changes),
        "ingate.orgs.v1.OrgService": _orgs,
        "ingate.orgs.v1.TeamService": lambda parts: TeamServicer(parts.database, parts.changes),
    },
    settings=frozenset({"default_plan", "signup"}),
)
