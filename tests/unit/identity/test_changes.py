import asyncio

import pytest

from ingate import migrate
from ingate.db import Database
from ingate.identity import changes
from ingate.identity.changes import Changes
from tests.support.waiting import eventually


@pytest.fixture
async def database(tmp_path):
    """A migrated database."""
    opened = Database(f"sqlite:///{tmp_path / 'a.db'}")
    await migrate.upgrade(opened)
    yield opened
    await opened.aclose()


@pytest.fixture
async def following(database):
    """Two processes' views of the changes, the first of which is followed."""
    mine, theirs = Changes(database), Changes(database)
    await mine.start()
    await theirs.start()
    job = asyncio.create_task(mine.follow())
    yield mine, theirs
    job.cancel()
    # Before the database closes: a connection that is lost in the middle of a statement may never close.
    await asyncio.wait([job])


async def announce(changes, *orgs):
    for org in orgs:
        async with changes.write(org):
            pass


async def test_changes_of_all_processes_are_heard_once_in_order(following):
    """Epochs count up by one, whoever announces."""
    mine, theirs = following
    with mine.listen() as news:
        await announce(mine, "a")
        await announce(theirs, "b", "c")
        await announce(mine, "d")
        async with asyncio.timeout(5):
            heard = [await anext(news) for _ in range(4)]
    assert [org for _, org in heard] == ["a", "b", "c", "d"]
    assert [epoch for epoch, _ in heard] == [1, 2, 3, 4]


async def test_a_change_that_fails_is_no_news(following):
    """It is announced with the commit or not at all."""
    mine, _ = following
    with mine.listen() as news:
        with pytest.raises(ZeroDivisionError):
            async with mine.write("a"):
                raise ZeroDivisionError
        await announce(mine, "b")
        async with asyncio.timeout(5):
            assert await anext(news) == (1, "b")


async def test_a_listener_that_lags_loses_the_oldest(following, monkeypatch):
    """The gap in the epochs tells it so, and nothing grows."""
    monkeypatch.setattr(changes, "QUEUE_LIMIT", 3)
    mine, _ = following
    with mine.listen() as news:
        await announce(mine, *"abcdef")
        await eventually(lambda: mine.epoch == 6)
        assert [await anext(news) for _ in range(3)] == [(4, "d"), (5, "e"), (6, "f")]
    assert mine._listeners == set()


async def test_old_news_is_forgotten_and_the_count_goes_on(database, monkeypatch):
    """What every gateway has had is deleted at a start, except the last, which keeps the count."""
    first = Changes(database)
    await announce(first, "a", "b", "c")
    monkeypatch.setattr(changes, "KEPT", -1_000_000)
    later = Changes(database)
    await later.start()
    assert later.epoch == 3
    await announce(later, "d")
    again = Changes(database)
    await again.start()
    assert again.epoch == 4
