import pytest
from sqlalchemy.exc import DBAPIError

from ingate import migrate
from ingate.db import Database
from ingate.identity import last_used
from ingate.identity.last_used import LastUsed


@pytest.fixture
async def database(tmp_path):
    """An empty database."""
    opened = Database(f"sqlite:///{tmp_path / 'a.db'}")
    yield opened
    await opened.aclose()


async def test_nothing_used_is_nothing_written(database):
    """A flush without uses does not touch the database, which here has no table."""
    await LastUsed(database).flush()


async def test_what_could_not_be_stored_is_stored_later(database):
    """A failed flush keeps its notes; newer ones win."""
    used = LastUsed(database)
    used.touch("a")
    first = dict(used._seen)
    with pytest.raises(DBAPIError):
        await used.flush()
    assert used._seen == first
    used.touch("a")
    assert used._seen["a"] >= first["a"]
    await migrate.upgrade(database)
    await used.flush()
    assert used._seen == {}


async def test_notes_are_bounded(database, monkeypatch):
    """Past the capacity, keys that are not noted yet wait; those that are stay up to date."""
    monkeypatch.setattr(last_used, "CAPACITY", 3)
    used = LastUsed(database)
    for key in "abcde":
        used.touch(key)
    assert list(used._seen) == ["a", "b", "c"]
    before = used._seen["a"]
    used.touch("a")
    assert used._seen["a"] >= before
