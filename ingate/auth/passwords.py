"""Passwords: argon2id in a thread of its own, so that sign-in never stalls the event loop."""

import asyncio
import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from ingate.auth.strength import weakness

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")


def _give_way() -> None:
    """Lowers the priority of the calling thread, so that hashing takes the time that nobody else wants."""
    if sys.platform == "linux":  # Where a thread has a priority of its own.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


class Passwords:
    """Judges, hashes and verifies, one at a time: each takes tens of milliseconds of a core and 19 MiB.

    It gives way to whatever else there is to do, unless it is `urgent`.
    """

    def __init__(self, *, urgent: bool = False) -> None:
        self._thread = ThreadPoolExecutor(1, "argon2", initializer=None if urgent else _give_way)

    @cached_property
    def _hasher(self) -> "PasswordHasher":
        from argon2 import PasswordHasher  # noqa: PLC0415 -- loaded by the first sign-in, not at start

        # OWASP's second profile: 19 MiB, two passes, one lane.
        return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

    @cached_property
    def _decoy(self) -> str:
        return self._hasher.hash("no account has this password")

    async def weakness(self, password: str, names: tuple[str, ...]) -> str | None:
        """Returns what is wrong with a new password, see `strength.weakness`."""
        return await self._run(lambda: weakness(password, names))

    async def hash(self, password: str) -> str:
        """Returns the encoded argon2id hash."""
        return await self._run(lambda: self._hasher.hash(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Tells whether the password belongs to the hash. Without a hash it takes as long and answers no."""
        return await self._run(lambda: self._verify(stored, password))

    async def matches(self, stored: str, password: str) -> bool:
        """Does the same for who may learn from the time that it takes: in half of it."""
        return await self._run(lambda: self._matches(stored, password))

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _verify(self, stored: str | None, password: str) -> bool:
        decoy = self._decoy  # Whether it is needed or not, so that making it tells nobody anything.
        return self._matches(decoy if stored is None else stored, password) and stored is not None

    def _matches(self, stored: str, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 -- see _hasher

        try:
            self._hasher.verify(stored, password)
        except (InvalidHashError, VerificationError):
            return False
        return True

    def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)


async def hash_password(password: str) -> str:
    """Returns the hash of one password, for a command that needs no other."""
    passwords = Passwords()
    try:
        return await passwords.hash(password)
    finally:
        passwords.close()
