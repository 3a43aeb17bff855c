"""What `ingate keys list` says of keys."""

import asyncio
import itertools

import pytest
from click.testing import CliRunner
from sqlalchemy import insert

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER, ROLE_OWNER
from ingate import clock, ids, migrate
from ingate.cli import keys
from ingate.cli.root import group
from ingate.config import Settings
from ingate.identity.tables import Key, Member, Org, User
from ingate.storage import open_database

NOW = 1_800_000_000 * clock.SECOND
PAST, SOON, LATER = NOW - clock.HOUR, NOW + clock.HOUR, NOW + 2 * clock.HOUR
HOUR_LATER, TWO_HOURS_LATER = "2027-01-15T09:00:00Z", "2027-01-15T10:00:00Z"


@pytest.mark.parametrize(
    ("expires_at", "revoked_at", "state"),
    [
        (None, None, "active"),
        (SOON, None, f"active until {HOUR_LATER}"),
        (NOW + 1, None, "active until 2027-01-15T08:00:00Z"),
        (NOW, None, "expired"),
        (PAST, None, "expired"),
        (None, SOON, f"rotated until {HOUR_LATER}"),
        (LATER, SOON, f"rotated until {HOUR_LATER}"),
        (SOON, LATER, f"rotated until {HOUR_LATER}"),
        (None, NOW, "revoked"),
        (LATER, PAST, "revoked"),
        (PAST, PAST - 1, "revoked"),
        (PAST, SOON, "expired"),
        (PAST, NOW, "expired"),
    ],
)
def test_a_key_is_shown_as_what_it_is(expires_at, revoked_at, state):
    """By the earlier of its two ends, and until when it works where it ends later."""
    assert keys.state(expires_at, revoked_at, NOW) == state


async def fill(data_dir, count):
    """Makes an organisation with so many keys, in four states by turns, and returns their ids."""
    now = clock.now()
    ends = [(None, None), (now - 1, None), (None, now - 1), (None, now + clock.HOUR)]
    numbers = [ids.uuid7() for _ in range(count)]
    async with open_database(Settings(data_dir=str(data_dir))) as database:
        await migrate.upgrade(database)
        async with database.write() as db:
            db.add(Org(id="o", slug="demo", name="demo", plan="free", created_at=1))
            db.add(User(id="u", email="a@b.de", email_key="a@b.de", display_name="", password_hash="", created_at=1))
            await db.flush()
            db.add(Member(org_id="o", user_id="u", role=ROLE_OWNER, created_at=1))
            common = {"org_id": "o", "role": ROLE_MEMBER, "scopes": "1", "created_at": 1}
            rows = [
                common
                | {"id": it, "name": f"key {n}", "secret_hash": ids.secret_hash(it)}
                | {"expires_at": expires, "revoked_at": revoked}
                for n, (it, (expires, revoked)) in enumerate(zip(numbers, itertools.cycle(ends), strict=False))
            ]
            for row in rows:
                await db.execute(insert(Key).values(row))
    return numbers


@pytest.mark.parametrize("count", [0, 1, 200, 450])
def test_every_key_is_listed_once(tmp_path, monkeypatch, count):
    """However many pages they fill, newest first, each with its state."""
    numbers = asyncio.run(fill(tmp_path, count))
    result = CliRunner().invoke(group, ["keys", "list", "--data-dir", str(tmp_path)])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == numbers[::-1]
    words = [line.split()[2] for line in lines[::-1]]
    assert words == list(itertools.islice(itertools.cycle(["active", "expired", "revoked", "rotated"]), count))
    assert [line.split("  ")[-1].strip() for line in lines[::-1]] == [f"key {n}" for n in range(count)]
