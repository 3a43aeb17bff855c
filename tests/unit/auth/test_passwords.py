import asyncio
import time

import pytest

from ingate.auth.passwords import Passwords


@pytest.fixture
def passwords():
    passwords = Passwords()
    yield passwords
    passwords.close()


async def test_a_password_verifies_against_its_own_hash(passwords):
    """Hashes are salted, and belong to one password exactly."""
    first, second = await passwords.hash("pässwörd 🔑"), await passwords.hash("pässwörd 🔑")
    assert first != second
    assert await passwords.verify(first, "pässwörd 🔑")
    for other in ("pässwörd 🔑 ", "PÄSSWÖRD 🔑", "", "x" * 1024):
        assert not await passwords.verify(first, other)


@pytest.mark.parametrize("stored", [None, "", "x", "$argon2id$v=19$broken", "$2b$12$bcrypt"])
async def test_without_a_hash_nothing_verifies(passwords, stored):
    """No account, or a hash that is none, is a no like any other, for the decoy's own password too."""
    assert not await passwords.verify(stored, "no account has this password")


async def test_an_unknown_account_takes_as_long(passwords):
    """Both ways of failing hash once: their times are of one size."""
    stored = await passwords.hash("right")
    await passwords.verify(None, "warm up")

    async def took(known):
        started = time.process_time()
        await passwords.verify(known, "wrong")
        return time.process_time() - started

    known = min([await took(stored) for _ in range(5)])
    unknown = min([await took(None) for _ in range(5)])
    assert 0.2 < known / unknown < 5


async def test_the_loop_goes_on_meanwhile(passwords):
    """Hashing happens on a thread of its own, one at a time."""
    hashing = asyncio.gather(*(passwords.hash("x") for _ in range(4)))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    assert turns > 10
    assert len(set(hashing.result())) == 4
