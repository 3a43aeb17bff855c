"""The routes at which the gateway tells anybody of its API: as an OpenAPI document, and as a page made of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import msgspec

from rest_facade.claims import Claims
from rest_facade.dialects import ingate
from rest_facade.dialects.base import Answer, Dialect
from rest_facade.request import Request
from rest_facade.routes import RawHandler, Route
from rest_facade.spec.openapi import document
from rest_facade.spec.viewer import viewed

DOCUMENT = "/openapi.json"
PAGE = "/docs"
NATIVE = "/api/v1/openapi.json"
"""Where the native dialect has its document whether it is the first or not."""


def documented(dialect: Dialect, *, first: bool = True) -> Dialect:
    """Returns the dialect with routes to its document; the first of a gateway has them where no dialect is named."""

    # Both take a tenth of a second and more, the first time.
    @cache
    def encoded() -> Answer:
        return Answer(200, msgspec.json.encode(document("/", dialect)))

    @cache
    def page() -> Answer:
        return viewed(document("/", dialect))

    async def answer_document(_request: Request, _values: Mapping[str, str]) -> Answer:
        return await asyncio.to_thread(encoded)

    async def answer_page(_request: Request, _values: Mapping[str, str]) -> Answer:
        return await asyncio.to_thread(page)

    answering: dict[str, RawHandler] = {DOCUMENT: answer_document, PAGE: answer_page} if first else {}
    claims = Claims(dialect.claims.paths | answering.keys(), dialect.claims.roots)
    if dialect.name == ingate.NAME:
        answering[NATIVE] = answer_document
    routes = tuple(Route(dialect.name, "GET", path, raw=handler) for path, handler in answering.items())
    return replace(dialect, claims=claims, routes=(*dialect.routes, *routes))
