"""Requests that are well-formed, for every rpc with a route: as our REST API takes them. Knows no Envoy."""

import json
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

from rest_facade.routes import Parameter, segments

PASSWORD = "correct horse battery"
PEOPLE = {"Signup", "Login", "AcceptInvitation"}
"""What nobody in particular calls."""


@dataclass(frozen=True)
class Ask:
    """A request. `body` and `query` are dictionaries or as they are sent; `who` is the metadata of its caller."""

    verb: str
    path: str
    query: dict | str = field(default_factory=dict)
    body: dict | bytes | None = None
    who: tuple = ()
    media_type: str = "application/json"

    def changed(self, **fields):
        """Returns it with other fields."""
        return replace(self, **fields)

    @property
    def target(self):
        """The path with the query."""
        query = urlencode(self.query) if isinstance(self.query, dict) else self.query
        return f"{self.path}?{query}" if query else self.path

    @property
    def content(self):
        """The bytes of the body, None for none."""
        return json.dumps(self.body).encode() if isinstance(self.body, dict) else self.body

    @property
    def headers(self):
        """The headers: the caller, and the type of a body."""
        return dict(self.who) | ({} if self.body is None else {"Content-Type": self.media_type})


def asks(route, own, number):
    """Returns the requests for a route, of which the first says the most.

    `own` has ids and metadata of what the installation has; names of what is new end in `number`.
    """
    name = route.rpc.rpartition(".")[2]
    who = () if name in PEOPLE else own["leaving" if name == "Logout" else "owner"]
    parts = [own[part.name] if isinstance(part, Parameter) else part for part in segments(route.template)]
    plain = Ask(route.verb, "/" + "/".join(parts), who=who)
    said = said_to(own, number)[name]
    return [plain.changed(**{"body" if route.body else "query": members}) for members in said]


def said_to(own, number):
    """Returns the members of queries and bodies by the names of rpcs; none takes away what a later one needs."""
    page = [{}, {"limit": 1, "offset": 1}, {"limit": 200, "offset": 0}]
    span = {"since": "2026-01-01T00:00:00Z", "until": "2096-01-01T02:30:00.123456+02:00"}
    provider = {"type": "azure-openai", "base_url": "http://127.0.0.1:9/v1", "auth_mode": "api_key", "api_key": "sk-x"}
    provider |= {"auth_header": "x-key", "auth_format": "Token {key}", "is_default": False, "enabled": False}
    provider |= {"timeout_ms": 1000, "models": ["a", 'é"\\'], "headers": {"x-a": "b", "x-c": "d"}}
    entries = {
        "action": "key.create",
        "resource_type": "key",
        "actor_id": own["actor_id"],
        "resource_id": own["key_id"],
    }
    logs = {"level": "info", "provider": "openai", "model": "gpt-4o", "status_code": 200, "source": "proxy"}
    logs |= {"user_id": "é&=+%", "session_id": "s", "stream": "false", "count": "true", "limit": 3}
    logs |= {"view": "full"}
    return {
        "GetHealth": [{"deep": "false"}, {}],
        "ListEntries": [span | entries | {"limit": 3}, {}, *page[1:]],
        "GetEntry": [{}],
        "Me": [{}],
        "ListSessions": page,
        "ListExchanges": [span | logs | {"key_id": own["key_id"]}, {}, {"view": "basic"}, {"stream": "true"}],
        "GetExchange": [{}],
        "ListKeys": page,
        "GetKey": [{}],
        "ListApps": page,
        "ListMembers": page,
        "ListInvitations": page,
        "ListOrgs": page,
        "GetOrg": [{}],
        "ListTeams": page,
        "ListProviders": page,
        "GetProvider": [{}],
        "TestProvider": [{}],
        "Signup": [
            {
                "email": f"new{number}@example.com",
                "password": PASSWORD,
                "org_slug": f"new-{number}",
                "org_name": "Néw",
                "display_name": "N",
            }
        ],
        "Login": [{"email": own["email"], "password": PASSWORD, "org_slug": own["org_slug"]}],
        "Logout": [{}],
        "AcceptInvitation": [{"token": own["invitation"], "password": PASSWORD, "display_name": "Guest"}],
        "CreateKey": [
            {
                "name": f"new {number}",
                "app_id": own["app_id"],
                "team_id": own["team_id"],
                "role": "member",
                "scopes": ["read", "proxy"],
                "rate_limit_per_minute": 7,
                "expires_at": "2096-01-01T00:00:00.5Z",
            },
            {"name": "n", "role": None, "expires_at": None},
        ],
        "UpdateKey": [
            {"name": "b", "role": "admin", "scopes": ["read"], "rate_limit_per_minute": 9},
            {"name": "c", "rate_limit_per_minute": None, "expires_at": None},
        ],
        "RotateKey": [{"overlap_hours": 2}],
        "CreateApp": [{"name": f"new {number}", "description": "d", "team_id": own["team_id"]}, {"name": "n"}],
        "UpdateApp": [{"name": "b", "description": "\u2028"}, {"description": None, "team_id": None}],
        "CreateTeam": [{"name": f"new {number}", "member_ids": [own["actor_id"]]}, {"name": "n", "member_ids": []}],
        "UpdateTeam": [{"name": "b", "member_ids": [own["actor_id"]]}, {"member_ids": None}],
        "InviteMember": [{"email": f"guest{number}@example.com", "role": "viewer", "expires_in_hours": 3}],
        "UpdateMember": [{"role": "admin"}],
        "CreateOrg": [{"slug": f"another-{number}", "name": "Another"}, {"slug": f"other-{number}"}],
        "UpdateOrg": [{"name": f"Renamed {number}", "slug": f"renamed-{number}"}],
        "CreateProvider": [{"name": f"new-{number}"} | provider, {"name": f"n-{number}", "type": "openai"}],
        "UpdateProvider": [provider, {"models": None, "headers": None, "timeout_ms": None, "enabled": True}],
        "RevokeKey": [{}],
        "DeleteApp": [{}],
        "DeleteTeam": [{}],
        "RemoveMember": [{"keys": "revoke"}],
        "RevokeInvitation": [{}],
        "DeleteProvider": [{}],
        "RevokeSession": [{}],
        "ChangePassword": [{"current_password": PASSWORD, "new_password": "another " + PASSWORD}],
        "DeleteOrg": [{}],
    }
