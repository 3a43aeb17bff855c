"""`ingate logs`: commands for recorded calls. They work on the database and need no running gateway."""

import asyncio
import os
import sys
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ingate.cli.acting import existing, json_option, moment, org_id, print_field, print_json
from ingate.cli.options import DATABASE, Settings, settings_options

if TYPE_CHECKING:
    from ingate.db import Database

POLL_SECONDS = 0.5
AT_ONCE = 500
"""Calls that are read at once; ten times as many are known to be shown."""


@click.group()
def command() -> None:
    """List recorded calls, show one with all that is known of it, or show them as they come."""


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        settings_options(only=DATABASE),
        json_option,
        click.option("--errors", is_flag=True, help="Only calls that went wrong."),
        click.option("--provider", help="Only calls to this provider."),
        click.option("--model", help="Only calls to this model."),
        click.option("--org", help="Slug of the organisation; all if not stated."),
    ):
        function = option(function)
    return function


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at most.")
@_filters
def list_calls(settings: Settings, limit: int, *, as_json: bool, **filters: Any) -> None:
    """List the last calls, the newest below.

    Columns: time, status, provider, model, tokens, cost, milliseconds, key, id.
    """

    async def run() -> None:
        async with existing(settings) as database:
            _print(await _calls(database, limit, **filters), as_json=as_json, listed=True)

    asyncio.run(run())


@command.command()
@click.argument("request_id")
@json_option
@settings_options(only=DATABASE)
def show(settings: Settings, request_id: str, *, as_json: bool) -> None:
    """Show one call with its attempts, texts, headers and bodies. What was not kept is left out."""
    from sqlalchemy import select
    from sqlalchemy.orm import undefer

    from gen.ingate.exchanges.v1.exchange_service_pb2 import GetExchangeResponse
    from ingate.errors import NotFound
    from ingate.exchanges import messages
    from ingate.exchanges.servicer import PAYLOAD
    from ingate.exchanges.tables import Exchange
    from rest_facade.message_json import Wire
    from rest_facade.style import SNAKE

    async def run() -> GetExchangeResponse:
        query = select(Exchange).where(Exchange.id == request_id).options(*(undefer(column) for column in PAYLOAD))
        async with existing(settings) as database, database.read() as db:
            stored = await db.scalar(query)
        if stored is None:
            raise NotFound(f"there is no call {request_id[:64]}: `ingate logs list` shows the ids of the last ones")
        return GetExchangeResponse(exchange=messages.message(stored), payload=messages.payload(stored))

    entry = Wire(SNAKE).valuer(GetExchangeResponse.DESCRIPTOR)(asyncio.run(run()))
    if as_json:
        print_json(entry)
        return
    for name, value in entry.items():
        if value not in (None, "", [], {}):
            print_field(name, value)


@command.command()
@_filters
def tail(settings: Settings, *, as_json: bool, **filters: Any) -> None:
    """Show calls as they are recorded, until Ctrl-C."""
    from ingate.exchanges import arrivals

    async def run() -> None:
        # One that a gateway had to report twice is shown once.
        seen: deque[str] = deque(maxlen=10 * AT_ONCE)
        async with existing(settings) as database:
            async with database.read() as db:
                number = await arrivals.last(db)
            while True:
                async with database.read() as db:
                    notes = await arrivals.between(db, number + 1, await arrivals.last(db), AT_ONCE)
                for note in notes:
                    number = note.number
                    fresh = [it for it in note.ids if it not in seen]
                    seen.extend(fresh)
                    for at in range(0, len(fresh), AT_ONCE):
                        some = fresh[at : at + AT_ONCE]
                        _print(await _calls(database, AT_ONCE, ids=some, **filters), as_json=as_json)
                if not notes:
                    await asyncio.sleep(POLL_SECONDS)

    asyncio.run(run())


async def _calls(
    database: "Database",
    limit: int,
    *,
    org: str | None,
    model: str | None,
    provider: str | None,
    errors: bool,
    ids: list[str] | None = None,
) -> list[dict[str, Any]]:
    """Returns the last calls that match, of all or of those with these ids, the oldest first."""
    from sqlalchemy import select

    from gen.ingate.exchanges.v1.exchange_pb2 import LEVEL_INFO
    from ingate.exchanges.call_lines import FIELDS, described, key_names
    from ingate.exchanges.tables import Exchange

    query = select(*(getattr(Exchange, name) for name in FIELDS))
    if org is not None:
        query = query.where(Exchange.org_id == await org_id(database, org))
    if model is not None:
        query = query.where(Exchange.model == model)
    if provider is not None:
        query = query.where(Exchange.provider == provider)
    if errors:
        query = query.where(Exchange.level != LEVEL_INFO)
    if ids is not None:
        query = query.where(Exchange.id.in_(ids))
    query = query.order_by(Exchange.created_at.desc(), Exchange.id.desc()).limit(limit)
    async with database.read() as db:
        found = [dict(row._mapping) for row in await db.execute(query)]
    names = await key_names(database, {call["key_id"] for call in found})
    return [described(call, names) for call in reversed(found)]


def _print(calls: list[dict[str, Any]], *, as_json: bool, listed: bool = False) -> None:
    """Prints a line a call: an object of JSON, or text; of a list, with its date and id."""
    import msgspec

    from ingate import clock
    from ingate.log_text import TextRenderer

    colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    render = TextRenderer(colours=colours, dates=listed)
    for call in calls:
        if as_json:
            at = moment(int(call.pop("at") * clock.SECOND))
            click.echo(msgspec.json.encode({"created_at": at, **call}))
        else:
            level = "error" if "error" in call else "info"
            shown = {"id": call["request_id"]} if listed else {}
            click.echo(render(None, "", {"event": "call", "level": level, **call, **shown}))
