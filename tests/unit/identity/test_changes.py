import asyncio

import pytest

from ingate.db import Database
from ingate.identity import changes
from ingate.identity.changes import Changes, News, Subject
from tests.support.embedded import make_embedded
from tests.support.waiting import PATIENCE, eventually


@pytest.fixture
async def database(tmp_path):
    """A migrated database."""
    opened = Database(f"sqlite:///{make_embedded(tmp_path)}")
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


async def heard(news, count):
    """Returns the next changes, without the words that there are none."""
    found = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            if (word := await anext(news))[1]:
                found.append(word)
    return found


async def announce(changes, *orgs):
    for org in orgs:
        async with changes.write(org):
            pass


async def test_changes_of_all_processes_are_heard_once_in_order(following):
    """Epochs count up by one, whoever announces."""
    mine, theirs = following
    with mine.listen() as news:
        assert await anext(news) == News(0, "")
        await announce(mine, "a")
        await announce(theirs, "b", "c")
        await announce(mine, "d")
        assert await heard(news, 4) == [News(1, "a"), News(2, "b"), News(3, "c"), News(4, "d")]


async def test_news_say_what_of_an_organisation_changed(following):
    """Its keys, what they share, or both."""
    mine, theirs = following
    with mine.listen() as news:
        assert await anext(news) == News(0, "")
        for subject in Subject:
            async with theirs.write("a", subject):
                pass
        assert await heard(news, 3) == [News(epoch, "a", subject) for epoch, subject in enumerate(Subject, 1)]
    assert [(subject.keys, subject.policy) for subject in Subject] == [(True, False), (False, True), (True, True)]


async def test_a_change_that_fails_is_no_news(following):
    """It is announced with the commit or not at all."""
    mine, _ = following
    with mine.listen() as news:
        assert await anext(news) == News(0, "")
        with pytest.raises(ZeroDivisionError):
            async with mine.write("a"):
                raise ZeroDivisionError
        await announce(mine, "b")
        assert await heard(news, 1) == [News(1, "b")]


async def test_who_listens_hears_at_once_where_the_count_stands(following, monkeypatch):
    """And no change of before: it has nothing yet that the change could concern."""
    monkeypatch.setattr(changes, "HEARTBEAT_SECONDS", 1e9)
    mine, theirs = following
    await announce(theirs, "a", "b")
    with mine.listen() as news:
        async with asyncio.timeout(PATIENCE):
            assert await anext(news) == News(2, "")
        await announce(theirs, "c")
        assert await heard(news, 1) == [News(3, "c")]


async def test_silence_means_that_the_news_cannot_be_read(following, monkeypatch):
    """Without changes there is a word all the same, but none while the database does not answer."""
    monkeypatch.setattr(changes, "HEARTBEAT_SECONDS", 0.0)
    monkeypatch.setattr(changes, "POLL_SECONDS", 0.001)
    mine, _ = following
    with mine.listen() as news:
        async with asyncio.timeout(PATIENCE):
            assert [await anext(news) for _ in range(3)] == [News(0, "")] * 3
        failures = asyncio.Semaphore(0)

        def failing():
            failures.release()
            raise OSError

        with monkeypatch.context() as away:
            away.setattr(mine._database, "read", failing)
            await failures.acquire()
            [queue] = mine._listeners
            while not queue.empty():
                queue.get_nowait()
            for _ in range(20):
                await failures.acquire()
            assert queue.empty()
        assert await anext(news) == News(0, "")


async def test_the_gateway_of_the_process_is_told_before_the_caller(database):
    """Also where the commit is cut off, for it may have happened; not for what did not change."""
    told = []
    announcing = Changes(database, lambda org_id, subject: told.append((org_id, subject)))
    async with announcing.write("a", Subject.KEYS):
        assert told == []
    assert told == [("a", Subject.KEYS)]
    with pytest.raises(ZeroDivisionError):
        async with announcing.write("b"):
            raise ZeroDivisionError
    assert told == [("a", Subject.KEYS)]


async def test_a_listener_that_lags_loses_the_oldest(following, monkeypatch):
    """The gap in the epochs tells it so, and nothing grows."""
    monkeypatch.setattr(changes, "QUEUE_LIMIT", 3)
    mine, _ = following
    with mine.listen() as news:
        assert await anext(news) == News(0, "")
        await announce(mine, *"abcdef")
        await eventually(lambda: mine.epoch == 6)
        assert [await anext(news) for _ in range(3)] == [News(4, "d"), News(5, "e"), News(6, "f")]
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
