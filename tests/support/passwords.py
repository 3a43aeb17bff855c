"""Passwords that cost next to nothing, for tests that sign people up and are not about what a guess costs."""

from argon2 import PasswordHasher

_CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def hash_cheaply(core):
    """Has the core of this process hash passwords by the least work that argon2 allows."""
    vars(core.servicers["ingate.auth.v1.AuthService"]._passwords)["_hasher"] = _CHEAP
