"""Finds the route of a verb and a path. Knows raw paths and templates; nothing of rpcs, dialects or requests.

Paths are taken as sent: split first, decoded after, so `%2F` stays inside its segment. A literal beats a
parameter, a parameter beats a rest, from left to right.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, zip_longest
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from rest_facade.routes import Parameter, Route, segments

MAX_SEGMENTS = 256
_NO_ESCAPE = re.compile("%(?![0-9a-fA-F]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class RouteConflict(Exception):
    """Two routes take the same requests, or neither is the more special of two that overlap."""


class BadPath(Exception):
    """The path is not one that any route could have; the message says why."""


class Match(NamedTuple):
    """A route and the decoded values of its parameters; a rest is as it was sent."""

    route: Route
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class MethodNotAllowed:
    """The path exists, the verb does not. `allow` is sorted."""

    allow: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoRoute:
    """Nothing answers at the path."""


@dataclass(slots=True)
class _Node:
    literals: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    rest: "_Node | None" = None
    routes: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)


class Router:
    """A trie of segments. Built once; raises `RouteConflict` for routes that get into each other's way.

    `head`: what takes GET takes HEAD. Every path takes OPTIONS, which somebody else answers.
    """

    def __init__(self, routes: Iterable[Route], *, head: bool = True) -> None:
        self._head = head
        self._root = _Node()
        self.routes = tuple(routes)
        _refuse_conflicts(self.routes)
        for route in self.routes:
            self._add(route)

    def resolve(self, verb: str, path: str) -> Match | MethodNotAllowed | NoRoute:
        """Returns what answers `verb` at a raw path without query, or raises `BadPath`."""
        raw = path.split("/", MAX_SEGMENTS + 1)
        if len(raw) > MAX_SEGMENTS + 1:
            raise BadPath("the path has too many segments")
        parts = [_decoded(part) for part in raw] if "%" in path or "/." in path else raw
        also = "GET" if verb == "HEAD" and self._head else ""
        allow: set[str] = set()
        for node, captured in _leaves(self._root, parts, raw):
            routes = node.routes
            found = routes.get(verb) or routes.get(also) or routes.get("*")
            if found is not None:
                route, names = found
                return Match(route, dict(zip(names, captured, strict=True)))
            allow.update(routes)
        if not allow:
            return NoRoute()
        if "GET" in allow and self._head:
            allow.add("HEAD")
        allow.add("OPTIONS")
        return MethodNotAllowed(tuple(sorted(allow)))

    def _add(self, route: Route) -> None:
        node = self._root
        names: list[str] = []
        for segment in segments(route.template):
            if isinstance(segment, str):
                node = node.literals.setdefault(segment, _Node())
                continue
            names.append(segment.name)
            if segment.rest:
                node.rest = node = node.rest or _Node()
            else:
                node.parameter = node = node.parameter or _Node()
        if len(set(names)) != len(names):
            raise RouteConflict(f"{route.title} names a parameter twice")
        node.routes[route.verb] = (route, tuple(names))


def _leaves(root: _Node, parts: list[str], raw: list[str]) -> Iterator[tuple[_Node, tuple[str, ...]]]:
    """Yields the nodes that match and the values on the way, the most special node first."""
    end = len(parts)
    node: _Node | None = root
    index = 1
    captured: tuple[str, ...] = ()
    others: list[tuple[_Node, int, tuple[str, ...]]] = []
    while True:
        while node is not None and index < end:
            part = parts[index]
            index += 1
            if node.rest is not None:
                others.append((node.rest, end, (*captured, "/".join(raw[index - 1 :]))))
            literal, parameter = node.literals.get(part), node.parameter
            if parameter is None or not part:
                node = literal
            elif literal is None:
                node = parameter
                captured = (*captured, part)
            else:
                others.append((parameter, index, (*captured, part)))
                node = literal
        if node is not None and node.routes:
            yield node, captured
        if not others:
            return
        node, index, captured = others.pop()


def decode(text: str) -> str:
    """Returns text with its percent escapes resolved, or raises ValueError for what is not UTF-8 or no escape."""
    if "%" not in text:
        return text
    if _NO_ESCAPE.search(text):
        raise ValueError("a percent sign does not start an escape")
    return unquote_to_bytes(text).decode()


def _decoded(part: str) -> str:
    try:
        part = decode(part)
    except ValueError as error:
        raise BadPath("the path is not valid percent-encoded UTF-8") from error
    if part in {".", ".."}:
        raise BadPath("the path has a dot segment")
    if _CONTROL.search(part):
        raise BadPath("the path has a control character")
    return part


def _refuse_conflicts(routes: tuple[Route, ...]) -> None:
    parsed = [(route, segments(route.template)) for route in routes]
    for (one, mine), (other, theirs) in combinations(parsed, 2):
        if one.verb == other.verb and _conflict(mine, theirs):
            raise RouteConflict(f"{one.title} and {other.title} overlap")


def _conflict(one: tuple[str | Parameter, ...], other: tuple[str | Parameter, ...]) -> bool:
    """Tells whether some path fits both and neither template is more special everywhere."""
    more = less = False
    for mine, theirs in zip_longest(one, other):
        if mine is None or theirs is None or _disjoint(mine, theirs):
            return False
        my_rank, their_rank = _rank(mine), _rank(theirs)
        more = more or my_rank > their_rank
        less = less or my_rank < their_rank
        if 0 in (my_rank, their_rank):
            break
    return more == less


def _disjoint(one: str | Parameter, other: str | Parameter) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one != other
    # A parameter takes no empty segment, a rest does.
    return "" in (one, other) and 1 in (_rank(one), _rank(other))


def _rank(segment: str | Parameter) -> int:
    if isinstance(segment, Parameter):
        return 0 if segment.rest else 1
    return 2
