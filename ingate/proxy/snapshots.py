"""A bounded cache of answers of the core, which the core's news keep up to date.

An answer is used for at most `ttl` seconds from the question, and is dropped as soon as the core reports a change of
its organisation. While the news stream is down or silent, an answer older than `STALE` seconds is fetched again; if the
core does not answer, the old one is used until its `ttl` ends.

Negative answers are cached apart, so that they evict no positive one, and only until the next news.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from ingate.errors import Unavailable
from ingate.proxy.news import EVERYBODY, News

CAPACITY = 10_000
REFUSALS = 10_000
NEGATIVE_SECONDS = 5.0
STALE = 1.0


class Owned(Protocol):
    """An answer of the core that belongs to an organisation."""

    @property
    def org_id(self) -> str:
        """The organisation."""


K = TypeVar("K", bytes, str)
V = TypeVar("V", bound=Owned)


@dataclass(slots=True)
class _Entry(Generic[V]):
    """A cached answer, None after it was dropped; when it was fetched, when it expires, and when it was last used.

    `placed` is the use that its place in the eviction order reflects. An entry without an answer shows that the key was
    known before.
    """

    value: V | None
    fetched: float
    until: float
    used: float
    placed: float


@dataclass(slots=True, eq=False)
class _Fetch(Generic[V]):
    """A question under way, and the organisations that changed since: an answer about them may be out of date."""

    changed: set[str] = field(default_factory=set)
    task: "asyncio.Task[V | str | None]" = field(init=False)


class Snapshots(Generic[K, V]):
    """Answers by key, fetched on first use, with one fetch for concurrent uses.

    `ask` gets a key and whether it was unknown until now. It returns the answer of the core, None where there is none,
    or a text that says why the core cannot answer. It does not raise: an exception that many await would keep the
    frames of all of them alive.
    """

    def __init__(self, ask: Callable[[K, bool], Awaitable[V | str | None]], news: News, *, ttl: float) -> None:
        self._ask: Callable[[K, bool], Awaitable[V | str | None]] = ask
        self._news = news
        self._ttl = ttl
        self._entries: OrderedDict[K, _Entry[V]] = OrderedDict()
        self._refused: dict[K, float] = {}
        self._fetching: dict[K, _Fetch[V]] = {}
        """The fetches that a new question may join."""
        self._fetches: set[_Fetch[V]] = set()

    def known(self, key: K) -> V | None:
        """Returns a cached answer that may be used without asking the core, else None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        now = time.monotonic()
        if now >= entry.until or (now >= self._news.live_until and now >= entry.fetched + STALE):
            return None
        entry.used = now
        return entry.value

    async def get(self, key: K) -> V | None:
        """Returns the answer, None where there is none. Raises Unavailable when the core does not answer."""
        if (known := self.known(key)) is not None:
            return known
        if self._is_refused(key):
            return None
        fetch = self._fetching.get(key) or self._fetch(key)
        found = await asyncio.shield(fetch.task)
        if not isinstance(found, str):
            return found
        entry = self._entries.get(key)
        if entry is None or entry.value is None or time.monotonic() >= entry.until:
            raise Unavailable(found, retry_after=1)
        return entry.value

    def forget(self, org_ids: Collection[str]) -> None:
        """Drops the answers of organisations that changed; questions from now on are asked anew."""
        everybody = EVERYBODY in org_ids
        for entry in self._entries.values():
            if entry.value is not None and (everybody or entry.value.org_id in org_ids):
                entry.value = None
        self._refused.clear()
        self._fetching.clear()
        for fetch in self._fetches:
            fetch.changed.update(org_ids)

    def _is_refused(self, key: K) -> bool:
        at = self._refused.get(key)
        if at is None:
            return False
        now = time.monotonic()
        return now < at + (NEGATIVE_SECONDS if now < self._news.live_until else STALE)

    def _fetch(self, key: K) -> _Fetch[V]:
        fetch = self._fetching[key] = _Fetch[V]()
        self._fetches.add(fetch)
        fetch.task = asyncio.create_task(self._answer(key, fetch))
        return fetch

    async def _answer(self, key: K, fetch: _Fetch[V]) -> V | str | None:
        asked = time.monotonic()
        try:
            found = await self._ask(key, key not in self._entries)
        finally:
            self._fetches.discard(fetch)
            if self._fetching.get(key) is fetch:
                del self._fetching[key]
        if found is None:
            if not fetch.changed:
                self._refuse(key, asked)
        elif not isinstance(found, str) and fetch.changed.isdisjoint((found.org_id, EVERYBODY)):
            self._keep(key, _Entry(found, asked, asked + self._ttl, asked, asked))
        return found

    def _keep(self, key: K, entry: _Entry[V]) -> None:
        self._entries.pop(key, None)
        while len(self._entries) >= CAPACITY:
            oldest = next(iter(self._entries))
            found = self._entries[oldest]
            if found.used > found.placed:
                # Moved only now: to move it at every use would cost more than to note the time.
                found.placed = found.used
                self._entries.move_to_end(oldest)
            else:
                del self._entries[oldest]
        self._entries[key] = entry

    def _refuse(self, key: K, asked: float) -> None:
        self._entries.pop(key, None)
        self._refused.pop(key, None)
        self._refused[key] = asked
        if len(self._refused) > REFUSALS:
            del self._refused[next(iter(self._refused))]

    async def aclose(self) -> None:
        """Cancels every fetch under way."""
        for fetch in list(self._fetches):
            fetch.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await fetch.task
