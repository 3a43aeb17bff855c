"""Examples of request bodies, by operation, in an order in which an owner can send them one after another."""

from collections.abc import Mapping
from typing import Any

BODIES: Mapping[str, Mapping[str, Any]] = {
    "signup": {
        "email": "ada@example.com",
        "password": "correct horse battery",
        "display_name": "Ada",
        "org_slug": "example",
        "org_name": "Example",
    },
    "login": {"email": "ada@example.com", "password": "correct horse battery", "org_slug": "example"},
    "updateOwnOrg": {"name": "Example and Daughters"},
    "updateOrg": {"name": "Example"},
    "createTeam": {"name": "research"},
    "updateTeam": {"name": "research and development"},
    "createApp": {"name": "chat", "description": "What visitors talk to."},
    "updateApp": {"description": None},
    "inviteMember": {"email": "grace@example.com", "role": "member", "expires_in_hours": 48},
    "createProvider": {"name": "openai", "type": "openai", "api_key": "sk-example", "models": ["gpt-5"]},
    "updateProvider": {"timeout_ms": 60000, "api_key": None},
    "createKey": {"name": "ci", "role": "member", "scopes": ["proxy", "read"], "rate_limit_per_minute": 600},
    "updateKey": {"name": "continuous integration", "rate_limit_per_minute": None},
    "rotateKey": {"overlap_hours": 24},
}
