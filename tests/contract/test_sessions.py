"""Sessions and passwords: seen, ended, and what an attacker learns from trying."""

import asyncio
import statistics
import time

from grpc import StatusCode

from gen.ingate.auth.v1.auth_service_pb2 import (
    ChangePasswordRequest,
    ListSessionsRequest,
    LoginRequest,
    LogoutRequest,
    MeRequest,
    RevokeSessionRequest,
)
from ingate.identity.tables import Session
from tests.support import tenancy
from tests.support.tenancy import PASSWORD, Person, Secret

site, grpc_channel = tenancy.site, tenancy.grpc_channel
OK, DEAD = StatusCode.OK, StatusCode.UNAUTHENTICATED
TRIES = 5
ALIKE = 0.3


async def sessions(site, who, **fields):
    return await site.call(ListSessionsRequest(**fields), who)


async def test_sessions_are_listed_newest_first(site):
    """Only the caller's own, each with its address and organisation, one of them the current."""
    org, other = await site.found(), await site.found()
    address = site.address()
    login = await site.call(LoginRequest(email=org.owner.email, password=PASSWORD), address=address)
    listed = await sessions(site, org.owner)
    assert (listed.total, [item.current for item in listed.items]) == (2, [False, True])
    assert (listed.items[0].ip_address, listed.items[0].org_id) == (address, org.id)
    assert login.token not in str(listed)
    page = await sessions(site, org.owner, limit=1, offset=1)
    assert (list(page.items), page.total) == ([listed.items[1]], 2)
    assert {item.id for item in (await sessions(site, other.owner)).items}.isdisjoint(
        {item.id for item in listed.items}
    )


async def test_a_revoked_session_is_dead_at_once(site):
    """Others live; revoking it again, also at once, finds nothing; another's cannot be revoked."""
    org, other = await site.found(), await site.found()
    second = await site.login(org.owner)
    [current, first] = (await sessions(site, second)).items
    revoke = RevokeSessionRequest(session_id=first.id)
    assert await site.code(revoke, other.owner) is StatusCode.NOT_FOUND
    codes = await asyncio.gather(*(site.code(revoke, second) for _ in range(4)))
    assert sorted(code.name for code in codes) == ["NOT_FOUND"] * 3 + ["OK"]
    assert (await site.code(MeRequest(), org.owner), await site.code(MeRequest(), second)) == (DEAD, OK)
    assert [item.id for item in (await sessions(site, second)).items] == [current.id]


async def test_a_key_has_no_sessions(site):
    """Keys neither list nor end sessions nor change passwords."""
    org = await site.found()
    change = ChangePasswordRequest(current_password=PASSWORD, new_password="another one")
    for request in (ListSessionsRequest(), RevokeSessionRequest(session_id="x"), LogoutRequest(), change):
        assert await site.code(request, Secret("", org.key)) is StatusCode.PERMISSION_DENIED


async def test_a_changed_password_ends_all_other_sessions(site):
    """The one that changed it goes on; the old password opens nothing and the new one does."""
    org = await site.found()
    others = [await site.login(org.owner) for _ in range(3)]
    changed = ChangePasswordRequest(current_password=PASSWORD, new_password="brand new 🔑")
    await site.call(changed, org.owner)
    assert {await site.code(MeRequest(), other) for other in others} == {DEAD}
    assert await site.code(MeRequest(), org.owner) is OK
    assert await site.code(LoginRequest(email=org.owner.email, password=PASSWORD)) is DEAD
    assert await site.code(LoginRequest(email=org.owner.email, password="brand new 🔑")) is OK
    assert await site.count(Session, Session.user_id == org.owner.user_id) == 2


async def test_a_password_changes_only_with_the_one_in_force(site):
    """A wrong one, or a new one that is too short or long, changes nothing and ends no session."""
    org = await site.found()
    other = await site.login(org.owner)
    for current, new, code in (
        ("wrong password", "brand new password", DEAD),
        (PASSWORD, "short", StatusCode.INVALID_ARGUMENT),
        (PASSWORD, "x" * 1025, StatusCode.INVALID_ARGUMENT),
    ):
        request = ChangePasswordRequest(current_password=current, new_password=new)
        assert await site.code(request, org.owner) is code
    assert await site.code(MeRequest(), other) is OK
    assert await site.code(LoginRequest(email=org.owner.email, password=PASSWORD)) is OK


async def test_guessing_with_a_stolen_session_is_throttled(site):
    """The current password can be tried ten times in a quarter of an hour, from wherever."""
    org = await site.found()
    request = ChangePasswordRequest(current_password="wrong", new_password="brand new password")
    codes = [await site.code(request, org.owner) for _ in range(11)]
    assert codes == [DEAD] * 10 + [StatusCode.RESOURCE_EXHAUSTED]


async def test_unknown_and_wrong_take_alike(site):
    """Which addresses have accounts shows neither in the words nor in the processor time that a refusal takes."""
    known = [(await site.found()).owner.email for _ in range(3)]
    words = set()

    async def refused(email):
        started = time.process_time()
        code, error = await site.outcome(LoginRequest(email=email, password="wrong password"))
        words.add((code, error.details()))
        return time.process_time() - started

    await refused("warm@example.com")
    wrong, unknown = [], []
    # Turn by turn, so that a busy moment of the machine falls on both.
    for number in range(TRIES * len(known)):
        wrong.append(await refused(known[number % len(known)]))
        unknown.append(await refused(f"nobody-{site.number()}@example.com"))
    assert len(words) == 1
    ratio = statistics.median(wrong) / statistics.median(unknown)
    assert 1 - ALIKE < ratio < 1 + ALIKE


async def test_a_session_that_ended_is_nobody(site):
    """After its logout, or with a token that never was, every rpc is refused in the same words."""
    org = await site.found()
    await site.call(LogoutRequest(), org.owner)
    words = set()
    for who in (org.owner, Person("", "", "ses-ingate-" + "A" * 43), Secret("", "sk-ingate-" + "A" * 43)):
        code, error = await site.outcome(MeRequest(), who)
        words.add((code, error.details()))
    assert [code for code, _ in words] == [DEAD]
