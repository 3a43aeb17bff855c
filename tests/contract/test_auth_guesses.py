"""Guessing passwords: what is counted for whom, and who is never kept out by it."""

import asyncio

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError

from gen.ingate.access.v1.access_pb2 import ROLE_MEMBER
from gen.ingate.auth.v1.auth_service_pb2 import (
    AcceptInvitationRequest,
    ChangePasswordRequest,
    LoginRequest,
    SignupRequest,
)
from ingate.auth.throttle import PLACE
from ingate.identity.known import KEPT
from ingate.identity.tables import KnownAddress
from ingate.rpc.status import from_rpc_error
from tests.support import tenancy
from tests.support.tenancy import PASSWORD
from tests.support.waiting import eventually

site, grpc_channel = tenancy.site, tenancy.grpc_channel
OK, WRONG, WAIT = StatusCode.OK, StatusCode.UNAUTHENTICATED, StatusCode.RESOURCE_EXHAUSTED


def login(email, password=PASSWORD):
    return LoginRequest(email=email, password=password)


async def guess(site, email, address, times):
    """Guesses one after another, and returns the codes."""
    return [await site.code(login(email, "wrong password"), address=address) for _ in range(times)]


def networks(site):
    """Returns addresses of one IPv6 /64, as many as are asked for."""
    number = site.number()
    return lambda n: f"2001:db8:{number:x}:1::{n:x}"


async def test_the_eleventh_guess_is_told_when_to_come_back(site):
    """Ten wrong passwords for an account from one address; a right one is refused as well, for a quarter of an hour."""
    org, address = await site.found(), site.address()
    assert await guess(site, org.owner.email, address, 11) == [WRONG] * 10 + [WAIT]
    code, error = await site.outcome(login(org.owner.email), address=address)
    assert code is WAIT
    failure = from_rpc_error(error)
    assert (failure.reason, 0 < failure.retry_after <= 900) == ("RATE_LIMITED", True)


async def test_addresses_of_one_ipv6_network_count_together(site):
    """Whoever has an IPv6 address has 2^64 of them, which do not make for as many guesses."""
    org, at = await site.found(), networks(site)
    codes = [await site.code(login(org.owner.email, "wrong password"), address=at(n)) for n in range(11)]
    assert codes == [WRONG] * 10 + [WAIT]


async def test_ten_names_that_do_not_exist_shut_the_address(site):
    """For names that do exist as well, so that the refusal tells nobody which do."""
    org, address, number = await site.found(), site.address(), site.number()
    names = [f"nobody{n}@site{number}.example" for n in range(11)]
    codes = [await site.code(login(name, "wrong password"), address=address) for name in names]
    assert codes == [WRONG] * 10 + [WAIT]
    assert await site.code(login(org.owner.email, "wrong password"), address=address) is WAIT
    assert await site.code(login(org.owner.email), address=site.address()) is OK


async def test_strangers_do_not_lock_the_owner(site):
    """Wrong passwords from elsewhere, however many, leave the owner their way in from wherever they are."""
    org = await site.found()
    for _ in range(3):
        await guess(site, org.owner.email, site.address(), 11)
    assert await site.code(login(org.owner.email), address=site.address()) is OK


async def test_a_right_password_from_a_known_address_is_taken_whatever_failed_there(site):
    """At the account's limit and at the address's; a wrong one still is told to wait, and others are kept out."""
    org, other, address = await site.found(), await site.found(), site.address()
    assert await site.code(login(org.owner.email), address=address) is OK
    assert (await guess(site, org.owner.email, address, 10))[-1] is WRONG
    assert await site.code(login(org.owner.email), address=address) is OK
    for number in range(PLACE.limit // 10):
        await guess(site, f"n{number}-{site.number()}@example.com", address, 10)
    assert await site.code(login(other.owner.email), address=address) is WAIT
    assert await site.code(login(org.owner.email), address=address) is OK


async def test_whoever_signed_up_or_joined_is_known_where_they_did(site):
    """Without having signed in first."""
    org, address = await site.found(), site.address()
    offered = await site.invite(org)
    joined = await site.call(AcceptInvitationRequest(token=offered.token, password=PASSWORD), address=address)
    await guess(site, joined.user.email, address, 11)
    assert await site.code(login(joined.user.email), address=address) is OK


async def test_successes_do_not_count(site):
    """Thirty people behind one address all get in, one after another and at once."""
    org, address = await site.found(), site.address()
    people = [await site.join(org) for _ in range(5)]
    requests = [login(person.email) for person in people] * 3
    assert {await site.code(request, address=address) for request in requests} == {OK}
    codes = await asyncio.gather(*(site.code(request, address=address) for request in requests))
    assert set(codes) == {OK}


async def test_a_burst_of_guesses_is_ten_tries(site, monkeypatch):
    """Of fifty at once, no more than ten are compared with the password."""
    org, address, tried = await site.found(), site.address(), []
    passwords = site.core.servicers["ingate.auth.v1.AuthService"]._passwords
    verify = passwords._verify

    def counting(stored, password):
        tried.append(password)
        return verify(stored, password)

    monkeypatch.setattr(passwords, "_verify", counting)
    request = login(org.owner.email, "wrong password")
    codes = await asyncio.gather(*(site.code(request, address=address) for _ in range(50)))
    assert (codes.count(WRONG), codes.count(WAIT), len(tried)) == (10, 40, 10)


async def test_what_is_refused_is_neither_hashed_nor_remembered(site, monkeypatch):
    """From an address that must wait, guesses for ever new accounts cost no hash and leave no counter."""
    address = site.address()
    servicer = site.core.servicers["ingate.auth.v1.AuthService"]
    for number in range(PLACE.limit // 10):
        await guess(site, f"n{number}-{site.number()}@example.com", address, 10)
    throttle = servicer._guard.throttle
    before = throttle._places.size
    monkeypatch.setattr(servicer._passwords, "_verify", None)
    codes = [await site.code(login(f"x{site.number()}@example.com", "wrong password"), address=address) for _ in "1234"]
    assert codes == [WAIT] * 4
    assert throttle._places.size == before


async def test_a_valid_invitation_is_not_throttled_by_others(site):
    """Though everything else from the address must wait; wrong passwords with it are counted for it alone."""
    org, other, address = await site.found(), await site.found(), site.address()
    nothing = AcceptInvitationRequest(token="inv-ingate-unknown", password=PASSWORD)
    codes = [await site.code(nothing, address=address) for _ in range(PLACE.limit + 1)]
    assert (codes[-2], codes[-1]) == (WRONG, WAIT)
    offers = [(await site.invite(org, ROLE_MEMBER)).token for _ in range(3)]
    for token in offers:
        request = AcceptInvitationRequest(token=token, password=PASSWORD)
        assert await site.code(request, address=address) is OK
    offered = await site.invite(org, ROLE_MEMBER, other.owner.email)
    wrong = AcceptInvitationRequest(token=offered.token, password="not the password")
    assert [await site.code(wrong) for _ in range(11)] == [WRONG] * 10 + [WAIT]


async def test_known_addresses_are_bounded(site):
    """The newest are kept, and using one keeps it."""
    org, first = await site.found(), site.address()
    for _ in range(KEPT + 5):
        await site.call(login(org.owner.email), address=first)
        await site.call(login(org.owner.email), address=site.address())
    mine = KnownAddress.user_id == org.owner.user_id
    assert await site.count(KnownAddress, mine) == KEPT
    assert await site.count(KnownAddress, mine, KnownAddress.address == first) == 1


async def test_who_leaves_the_queue_is_not_waited_for(site, monkeypatch):
    """Calls that are given up while they wait for their turn cost no hash and count for nothing."""
    org, address, tried = await site.found(), site.address(), []
    servicer = site.core.servicers["ingate.auth.v1.AuthService"]
    verify = servicer._passwords._verify
    monkeypatch.setattr(
        servicer._passwords, "_verify", lambda stored, password: tried.append(password) or verify(stored, password)
    )
    async with servicer._guard._turns.turn(0, "test", "test"):
        calls = [
            asyncio.ensure_future(site.call(login(org.owner.email, "wrong password"), address=address))
            for _ in range(20)
        ]
        await eventually(lambda: servicer._guard._turns.waiting == 20)
        for call in calls:
            call.cancel()
        await eventually(lambda: servicer._guard._turns.waiting == 0)
    assert await asyncio.gather(*calls, return_exceptions=True)
    assert tried == []
    assert await site.code(login(org.owner.email), address=address) is OK


async def test_more_at_once_than_an_address_may_have_wait(site):
    """Beyond what one address may have in the queue the answer is to come again in a second."""
    servicer = site.core.servicers["ingate.auth.v1.AuthService"]
    address = site.address()
    async with servicer._guard._turns.turn(0, "test", "test"):
        requests = [login(f"x{site.number()}@example.com", "wrong password") for _ in range(40)]
        calls = [asyncio.ensure_future(site.call(request, address=address)) for request in requests]
        done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED, timeout=30)
        failure = from_rpc_error(next(iter(done)).exception())
        assert (failure.reason, failure.retry_after) == ("RATE_LIMITED", 1.0)
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {error.code() for error in outcomes if isinstance(error, AioRpcError)} == {WRONG, WAIT}


@pytest.mark.parametrize("password", ["password", "12345678", "aaaaaaaa", "passwordpassword", "horse42x"])
async def test_weak_passwords_are_refused_wherever_one_is_made(site, password):
    """The refusal names the field and why, and does not quote the password."""
    org = await site.found()
    offered = await site.invite(org)
    for request, who, field in (
        (SignupRequest(email="a@b.example", password=password, org_slug=f"o{site.number()}"), None, "password"),
        (AcceptInvitationRequest(token=offered.token, password=password), None, "password"),
        (ChangePasswordRequest(current_password=PASSWORD, new_password=password), org.owner, "new_password"),
    ):
        code, error = await site.outcome(request, who)
        assert code is StatusCode.INVALID_ARGUMENT
        failure = from_rpc_error(error)
        assert list(failure.fields) == [field]
        assert failure.fields[field].startswith(("is too common", "must have at least 12"))
        assert password not in failure.message or password == "password"


async def test_a_password_with_a_name_in_it_is_refused(site):
    """That of the address or of the organisation, wherever one is made."""
    number = site.number()
    for password in (f"vzq 77 Ada-Lovelace{number}", f"vzq 77 engines{number}", "vzq 77 Analytical Engines"):
        request = SignupRequest(
            email=f"ada.lovelace{number}@b.example",
            password=password,
            org_slug=f"engines{number}",
            org_name="Analytical Engines",
        )
        code, error = await site.outcome(request)
        assert (code, "must not contain" in error.details()) == (StatusCode.INVALID_ARGUMENT, True)


async def test_passwords_that_were_taken_before_go_on_working(site):
    """The rule is for new ones."""
    org = await site.found()
    servicer = site.core.servicers["ingate.auth.v1.AuthService"]
    old = await servicer._passwords.hash("12345678")
    await site.sql("UPDATE users SET password_hash = :old WHERE id = :id", old=old, id=org.owner.user_id)
    assert await site.code(login(org.owner.email, "12345678")) is OK
