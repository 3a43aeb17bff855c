"""Credentials planted everywhere a caller can plant them turn up nowhere: upstream, journal, database, log lines."""

import base64
import json
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import update

from ingate.providers.tables import Provider
from tests.support.gateway import demo_gateway, gateway
from tests.support.upstream import JSON, ScriptedUpstream, byte_by_byte, respond, sse

ASK = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
STORED = "sk-proj-stored-canary-0123456789"
CALLERS = "sk-proj-callers-canary-0123456789"
NAMES = [
    "Accept-Language",
    "Anthropic-Beta",
    "Api-Key",
    "Authorization",
    "Cache-Control",
    "Cookie",
    "Forwarded",
    "If-None-Match",
    "OpenAI-Organization",
    "OpenAI-Project",
    "Origin",
    "Prefer",
    "Proxy-Authorization",
    "Referer",
    "Traceparent",
    "Tracestate",
    "User-Agent",
    "X-Api-Key",
    "X-Auth-Token",
    "X-Forwarded-For",
    "X-Goog-Api-Client",
    "X-Goog-Api-Key",
    "X-Ingate-Note",
    "X-Ingate-Session-Id",
    "X-Ingate-User-Id",
    "X-Note",
    "X-Stainless-Lang",
]
SHAPES = ["{}", "Bearer {}", 'a="{}"; b']


def kept(directory):
    """Returns every byte below a directory, by file."""
    return {path: path.read_bytes() for path in Path(directory).rglob("*") if path.is_file()}


def assert_absent(secret, blobs):
    """Checks that no blob holds a secret, plain or percent-encoded."""
    for form in (secret, quote(secret, safe="")):
        assert [name for name, blob in blobs.items() if form.encode() in blob] == []


def planted(secret, shape):
    """Returns headers that all carry the secret."""
    return {name: shape.format(secret) for name in NAMES}


async def plant(url, key, secrets, provider):
    """Sends each secret in every header in every shape, to one provider, with the caller's own key where it belongs."""
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30, verify=False) as client:
        for secret in secrets:
            for shape in SHAPES:
                headers = {**planted(secret, shape), "X-Ingate-Key": key, "X-Ingate-Provider": provider}
                answer = await client.post("/v1/chat/completions", json=ASK, headers=headers)
                assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("type", ["openai", "http"])
async def test_nothing_leaks_upstream_or_into_journal_and_database(type):
    """In the mode in which the gateway injects the stored key, the provider gets that key alone, and once."""
    async with ScriptedUpstream() as up, gateway(grpc=False) as gw:
        org = await gw.signup()
        await org.provider("p", type, up.url, api_key=STORED)
        up.script(lambda _: True, respond(200, [("x-echo", f"Bearer {STORED}")], b"{}"))
        await gw.core.shipper.stop(1.0)
        secrets = [org.key, org.token, STORED, CALLERS]

        await plant(gw.url, org.key, secrets, "p")

        journal = kept(Path(gw.data_dir) / "journal")
        assert b"gpt-4o-mini" in b"".join(journal.values()), "the records are here, unshipped"
        for secret in secrets:
            assert_absent(secret, journal)
        for request in up.requests:
            given = [(name, value) for name, value in request.headers if STORED.encode() in value]
            assert (b"authorization", f"Bearer {STORED}".encode()) in given
            blobs = {name: value for name, value in request.headers if name in {b"authorization", b"cookie"}}
            for secret in (org.key, org.token):
                assert secret.encode() not in request.raw
            assert_absent(CALLERS, blobs)


async def test_passthrough_gives_the_provider_the_callers_credential_alone():
    """The caller's Authorization crosses untouched, and is still on no record."""
    async with ScriptedUpstream() as up, gateway(grpc=False) as gw:
        org = await gw.signup()
        await org.provider("p", "openai", up.url, auth_mode="passthrough", api_key=STORED)

        answer = await org.http.post(
            "/v1/chat/completions", json=ASK, headers={"Authorization": f"Bearer {CALLERS}", "Cookie": "session=1"}
        )

        assert answer.status_code == 200
        assert up.requests[-1].header("authorization") == f"Bearer {CALLERS}".encode()
        assert up.requests[-1].header("cookie") == b"session=1"
        entry = await org.last()
        assert {entry["request_headers"][name] for name in ("authorization", "cookie", "x-ingate-key")} == {"***"}
        for secret in (STORED, org.key):
            assert secret.encode() not in up.requests[-1].raw
        assert CALLERS not in str(entry)


@pytest.mark.parametrize("where", ["?token={}", "?a=1&access_key=x{}", "/{}", "?q=%22{}%22", "/a%2F{}"])
async def test_a_gateway_credential_in_the_target_is_refused(where):
    """A 400 that does not repeat it; nothing is forwarded or recorded."""
    async with ScriptedUpstream() as up, gateway(grpc=False) as gw:
        org = await gw.signup()
        await org.provider("p", "openai", up.url)
        for secret in (org.key, org.token, "".join(f"%{byte:02x}" for byte in org.key.encode())):
            answer = await org.http.post(f"/v1/files{where.format(secret)}")

            assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
            assert secret not in answer.text
        assert (up.seen, await org.logs()) == (0, [])


ODD = 'st/ored"p@ss\\word+0123456789'
"""A credential that JSON and URLs write in their own ways."""
PAIR = base64.b64encode(b"user:" + b"stored-password-9").decode()


def quoting(form):
    """Yields steps that answer with a form of a credential in head and body, and the body; every kind of body."""
    head = [("content-type", "application/json"), ("x-echo", form)]
    error = json.dumps({"error": {"message": f"bad key: {form}"}}).encode()
    long = json.dumps({"error": {"message": "x" * 490 + form}}).encode()
    said = json.dumps({"choices": [{"message": {"content": f"it is {form}"}}]}).encode()
    event = b'data: {"choices":[{"delta":{"content":%b}}]}\n\n' % json.dumps(form).encode()
    yield respond(401, head, error), error
    yield respond(401, head, long, coding="gzip"), long
    yield respond(200, head, said, framing="chunked", cut=byte_by_byte), said
    yield sse([event, b"data: [DONE]\n\n"], cut=byte_by_byte), event + b"data: [DONE]\n\n"
    yield respond(200, [("content-type", "text/plain")], form.encode(), framing="close"), form.encode()


@pytest.mark.parametrize(
    ("fields", "secret", "forms"),
    [
        ({"api_key": STORED}, STORED, [STORED, f"Bearer {STORED}"]),
        ({"api_key": ODD}, ODD, [ODD, quote(ODD, safe="")]),
        (
            {"api_key": PAIR, "auth_format": "Basic {key}"},
            "stored-password-9",
            [f"Basic {PAIR}", "user:stored-password-9", "stored-password-9"],
        ),
        ({"headers": {"X-Tenant-Auth": "tenant-canary"}}, "tenant-canary", ["tenant-canary"]),
        ({"headers": {"X-Opaque": "c4narycanary-12345"}}, "c4narycanary-12345", ["c4narycanary-12345"]),
    ],
    ids=["bearer", "odd", "basic", "named-header", "opaque-header"],
)
@pytest.mark.parametrize("capture", [1024 * 1024, 64, 0])
async def test_what_a_provider_quotes_of_its_credential_is_not_kept(fields, secret, forms, capture):
    """Not in errors, completions, headers, events or compressed bodies, whole or cut; the caller gets every byte."""
    async with ScriptedUpstream() as up, gateway(grpc=False, capture_bytes=capture) as gw:
        org = await gw.signup()
        await org.provider("p", "openai", up.url, **fields)
        await gw.core.shipper.stop(1.0)
        for form in forms:
            for steps, body in quoting(form):
                up.enqueue(steps)
                answer = await org.http.post(
                    "/v1/chat/completions", json=ASK | {"user": form}, headers={"X-Note": form}
                )
                assert answer.content == body
                assert up.requests[-1].body == answer.request.content
        assert up.seen == 5 * len(forms)
        journal = kept(Path(gw.data_dir) / "journal")
        assert b"gpt-4o-mini" in b"".join(journal.values())
        for text in (secret, PAIR, json.dumps(secret)[1:-1], secret[: len(secret) * 2 // 3]):
            assert_absent(text, journal)


@pytest.mark.parametrize(
    "column", [{"auth_header": "content-length"}, {"auth_header": "a b"}, {"headers": {"te": "x"}}]
)
async def test_a_stored_header_that_cannot_be_sent_is_no_failure_of_ours(column):
    """A provider from before a rule is out of reach, and its callers are told that it is; nothing is sent."""
    async with ScriptedUpstream() as up, gateway(grpc=False) as gw:
        org = await gw.signup()
        await org.provider("p", "openai", up.url, api_key=STORED)
        async with gw.core.database.write() as db:
            await db.execute(update(Provider).where(Provider.name == "p").values(column))
        answer = await org.http.post("/v1/chat/completions", json=ASK, headers={"X-Ingate-Provider": "p"})

        assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
        assert up.seen == 0


async def test_the_callers_own_credential_is_not_kept_either(tmp_path):
    """In passthrough mode a provider quotes what the caller showed it: in whatever header, cookies included."""
    async with ScriptedUpstream() as up, gateway(grpc=False, data_dir=tmp_path) as gw:
        org = await gw.signup()
        await org.provider("p", "openai", up.url, auth_mode="passthrough")
        await gw.core.shipper.stop(1.0)
        shown = {
            "Authorization": "Bearer callers-canary-1",
            "api-key": "callers-canary-2",
            "Cookie": "s=callers-canary-3",
        }
        body = json.dumps({"error": {"message": str(shown)}}).encode()
        up.enqueue(respond(401, JSON, body))
        answer = await org.http.post("/v1/chat/completions", json=ASK, headers=shown)

        assert answer.content == body
        journal = kept(tmp_path / "journal")
        assert b"gpt-4o-mini" in b"".join(journal.values())
        assert_absent("callers-canary", journal)


async def test_a_process_keeps_and_says_nothing(tmp_path):
    """The whole story against `ingate serve` at its most talkative: its files and its output stay clean."""
    async with ScriptedUpstream() as up:
        # Bodies are kept as they are, so the provider must not quote what it got.
        up.script(lambda _: True, respond(200, JSON, b"{}"))
        with demo_gateway(tmp_path, "--log-level", "debug") as spawned:
            async with httpx.AsyncClient(base_url=spawned.url, trust_env=False, timeout=30, verify=False) as client:
                account = {"email": "a@leak.example", "password": "correct horse battery", "org_slug": "leak"}
                made = (await client.post("/api/v1/auth/signup", json=account)).json()
                admin = {"Authorization": f"Bearer {made['token']}"}
                provider = {"name": "p", "type": "openai", "base_url": up.url, "api_key": STORED}
                assert (await client.post("/api/v1/providers", json=provider, headers=admin)).is_success
                secrets = [made["api_key"], made["token"], STORED, CALLERS]
                await plant(spawned.url, made["api_key"], secrets, "p")
                for secret in secrets:
                    for target in (f"/v1/files?key={secret}", f"/{secret}", f"/api/v1/logs?key={secret}"):
                        await client.get(target, headers={"X-Ingate-Key": made["api_key"]})
                    for headers in ({"X-Ingate-Key": secret + "x"}, {"Authorization": f"Bearer {secret}x"}):
                        await client.post("/v1/chat/completions", json=ASK, headers=headers)
                        await client.get("/api/v1/logs", headers=headers)
                up.enqueue(respond(200, [("broken head", f"Bearer {STORED}")]))
                await client.post("/v1/chat/completions", json=ASK, headers={"X-Ingate-Key": made["api_key"]})
            spawned.child.signal()
            assert await spawned.child.wait_exit(20) == 0
            said = spawned.child.output

    assert_absent("correct horse battery", {"output": said.encode(), **kept(tmp_path)})
    for secret in secrets:
        assert_absent(secret, {"output": said.encode()})
        assert_absent(secret, kept(tmp_path))
