"""The route at which the gateway answers with its own OpenAPI document, to anybody."""

import asyncio
from collections.abc import Mapping
from functools import cache

import msgspec

from rest_facade.dialects.base import Answer
from rest_facade.dialects.ingate import NAME
from rest_facade.request import Request
from rest_facade.routes import Route
from rest_facade.spec.openapi import document


async def _answer(_request: Request, _values: Mapping[str, str]) -> Answer:
    # The first time takes a tenth of a second.
    return Answer(200, await asyncio.to_thread(_encoded))


@cache
def _encoded() -> bytes:
    return msgspec.json.encode(document("/"))


OPENAPI = Route(NAME, "GET", "/api/v1/openapi.json", raw=_answer)
