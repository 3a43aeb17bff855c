"""What `serve` tells an operator whose installation cannot answer a call yet: the commands that come next."""

from sqlalchemy import exists, select

from ingate.config import Settings
from ingate.db import Database
from ingate.identity.tables import Org
from ingate.providers.shared import shared_routes
from ingate.providers.tables import Provider

ORG = "example"


async def missing_steps(database: Database, settings: Settings, url: str) -> str:
    """Returns the lines of the steps that are missing, nothing where there are an organisation and a provider."""
    async with database.read() as db:
        org = await db.scalar(select(Org.slug).order_by(Org.id).limit(1))
        has_provider = bool(shared_routes(settings)) or bool(await db.scalar(select(exists(select(Provider.name)))))
    if org is not None and has_provider:
        return ""
    steps = [] if org is not None else [_sign_up(settings, url)]
    slug = org or ORG
    if not has_provider:
        add = f"ingate providers add openai --type openai --org {slug}"
        steps.append(f"  add a provider      {add}   (asks for the vendor's key)")
    steps.append(f"  make a key          ingate keys create mine --org {slug}   (the gateway's key, for X-Ingate-Key)")
    return "\n".join(("Next:", *steps, "  or try it without any of this: ingate serve --demo"))


def _sign_up(settings: Settings, url: str) -> str:
    """Returns the step that makes the first organisation and its owner."""
    made = f"  make an owner       ingate orgs create {ORG} you@example.com   (prints a password and a key)"
    if settings.signup not in {"first", "open"}:
        return made
    body = f'{{"email":"you@example.com","password":"...","org_slug":"{ORG}"}}'
    call = f"curl {url}/api/v1/auth/signup -H 'Content-Type: application/json' -d '{body}'"
    return f"{made}\n  or sign up          {call}"
