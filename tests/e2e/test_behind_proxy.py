"""The gateway behind a proxy: the caller's address counts, for throttles, audit and sessions, over REST and gRPC."""

import grpc
import pytest

from gen.ingate.auth.v1.auth_service_pb2 import LoginRequest
from gen.ingate.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from tests.support.gateway import checked, gateway

PASSWORD = "correct horse"
ADDRESS = "203.0.113.200"


def guess(org, address, number=0):
    """Returns a failing sign-in that a proxy forwards for an address, with a hop before it that the caller invented."""
    body = {"email": f"nobody-{number}@{org.slug}.example", "password": "wrong wrong wrong", "org_slug": org.slug}
    return body, {"X-Forwarded-For": f"198.51.100.{number % 250}, {address}"}


async def test_a_trusted_proxys_word_is_taken():
    """Guesses from one address are stopped, whatever hops it invents; everybody else behind the proxy signs in."""
    async with gateway(trusted_proxies="127.0.0.0/8") as gw, gw.client() as client:
        org = await gw.signup()
        seen = []
        for number in range(150):
            body, headers = guess(org, ADDRESS, number)
            seen.append((await client.post("/api/v1/auth/login", json=body, headers=headers)).status_code)
        assert seen[0] == 401
        assert seen[-1] == 429

        body = {"email": f"owner@{org.slug}.example", "password": PASSWORD, "org_slug": org.slug}
        told = {"Forwarded": 'for="[2001:db8::7]:4711";proto=https'}
        session = checked(await client.post("/api/v1/auth/login", json=body, headers=told))
        mine = {"Authorization": f"Bearer {session['token']}", **told}
        sessions = checked(await client.get("/api/v1/auth/sessions", headers=mine))["items"]
        assert "2001:db8::7" in {one["ip_address"] for one in sessions}
        checked(await client.post("/api/v1/keys", json={"name": "k"}, headers=mine))
        entries = checked(await client.get("/api/v1/audit", headers=mine))["items"]
        assert {entry["ip_address"] for entry in entries if entry["action"].startswith("key.")} == {"2001:db8::7"}

        stub = AuthServiceStub(await gw.channel())
        ask = LoginRequest(email=body["email"], password="wrong wrong wrong", org_slug=org.slug)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Login(ask, metadata=[("x-forwarded-for", ADDRESS)])
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Login(ask, metadata=[("x-forwarded-for", "203.0.113.8")])
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_nobody_elses_is():
    """Without the setting, and from a peer that is not listed, a header changes nothing."""
    async with gateway(grpc=False, trusted_proxies="203.0.113.1") as gw, gw.client() as client:
        org = await gw.signup()
        body = {"email": f"owner@{org.slug}.example", "password": PASSWORD, "org_slug": org.slug}
        told = {"X-Forwarded-For": ADDRESS}
        session = checked(await client.post("/api/v1/auth/login", json=body, headers=told))
        mine = {"Authorization": f"Bearer {session['token']}"}
        sessions = checked(await client.get("/api/v1/auth/sessions", headers=mine))["items"]
        assert {one["ip_address"] for one in sessions} <= {"127.0.0.1", ""}
