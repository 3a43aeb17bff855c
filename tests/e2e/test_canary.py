"""Secrets planted everywhere, used well and badly: none comes up in logs, in what is stored, or in answers."""

import base64
import hashlib
import os
import secrets

import grpc
import httpx

from gen.ingate.auth.v1 import auth_service_pb2 as auth
from gen.ingate.keys.v1.key_service_pb2 import CreateKeyRequest, ListKeysRequest
from gen.ingate.providers.v1.provider_pb2 import PROVIDER_TYPE_OPENAI
from gen.ingate.providers.v1.provider_service_pb2 import CreateProviderRequest
from ingate.rpc.connect import connect
from ingate.rpc.services import rpcs
from tests.support.gateway import checked, demo_gateway
from tests.support.ports import free_port

CHAT = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
BY_REQUEST = {rpc.request: rpc for rpc in rpcs().values()}


class Canaries:
    """Secrets by what they are, and everything that answers said."""

    def __init__(self):
        self.secrets = {}
        self.heard = []

    def plant(self, name, prefix=""):
        """Returns a new secret, to be found nowhere."""
        return self.add(name, prefix + secrets.token_urlsafe(24))

    def add(self, name, secret):
        """Notes a secret that somebody else made."""
        self.secrets[name] = secret
        return secret

    def sing(self, *texts):
        """Returns the names of the secrets that are in any of the texts, given as bytes."""
        found = set()
        for name, secret in self.secrets.items():
            forms = (secret.encode(), secret.encode().hex().encode(), base64.b64encode(secret.encode()))
            found |= {name for text in texts for form in forms if form in text}
        return found


async def over_rest(client, canaries):
    """Uses every secret over REST; returns the owner's token, a key and its id."""
    plant, add = canaries.plant, canaries.add

    async def ask(method, path, **options):
        response = await client.request(method, path, **options)
        if not response.is_success:
            canaries.heard.append(f"{response.headers} {response.text}".encode())
        return response

    password = plant("password")
    person = {"email": "owner@canary.example", "password": password, "org_slug": "canary"}
    made = checked(await ask("POST", "/api/v1/auth/signup", json=person))
    token, key = add("session", made["token"]), add("first key", made["api_key"])
    as_owner = {"Authorization": f"Bearer {token}"}
    await ask("POST", "/api/v1/auth/signup", json=person)
    await ask("POST", "/api/v1/auth/login", json={**person, "password": plant("wrong password"), "unknown": 1})
    await ask("POST", "/api/v1/auth/login", json={"email": person["email"], "password": plant("wrong password 2")})
    await ask("POST", "/api/v1/auth/login", content=f'{{"password": "{plant("password in broken JSON")}"')
    await ask("GET", "/api/v1/auth/me", headers={"Authorization": f"Bearer {plant('unknown session', 'ses-ingate-')}"})
    await ask("GET", "/api/v1/keys", params={"key": plant("key in the query", "sk-ingate-")})
    await ask("GET", f"/api/v1/{plant('key in a path', 'sk-ingate-')}", headers=as_owner)

    invited = checked(
        await ask(
            "POST", f"/api/v1/orgs/{made['org']['id']}/members", headers=as_owner, json={"email": "a@canary.example"}
        )
    )
    accept = {"token": add("invitation", invited["token"]), "password": plant("member's password")}
    await ask("POST", "/api/v1/auth/accept-invitation", json={**accept, "token": plant("no invitation", "inv-ingate-")})
    add("member's session", checked(await ask("POST", "/api/v1/auth/accept-invitation", json=accept))["token"])
    await ask("POST", "/api/v1/auth/accept-invitation", json=accept)
    change = {"current_password": password, "new_password": plant("new password")}
    assert (await ask("PUT", "/api/v1/auth/password", json=change, headers=as_owner)).status_code == 204
    await ask("PUT", "/api/v1/auth/password", json=change, headers=as_owner)

    nowhere = f"http://127.0.0.1:{free_port()}"
    for name in ("broken", "broken", "BAD NAME"):
        body = {
            "name": name,
            "type": "openai",
            "base_url": nowhere,
            "api_key": plant(f"provider key {len(canaries.secrets)}"),
        }
        await ask("POST", "/api/v1/providers", json=body, headers=as_owner)
    await ask("PUT", "/api/v1/providers/broken", json={"api_key": plant("control") + "\n"}, headers=as_owner)
    await ask("PUT", "/api/v1/providers/broken", json={"api_key": plant("provider key")}, headers=as_owner)
    await ask("POST", "/api/v1/providers/broken/test", headers=as_owner)

    await proxied(ask, canaries, key)
    created = checked(await ask("POST", "/api/v1/keys", json={"name": "k"}, headers=as_owner))
    rotated = checked(await ask("POST", f"/api/v1/keys/{created['id']}/rotate", json={}, headers=as_owner))
    add("rotated key", rotated["key"])
    return token, add("key", created["key"])


async def proxied(ask, canaries, key):
    """Calls providers with credentials in every place where clients put them."""
    plant = canaries.plant
    chat = "/v1/chat/completions"
    answers = [
        await ask("POST", chat, json=CHAT, headers={"X-Ingate-Key": key}),
        await ask("POST", chat, json=CHAT, headers={"Authorization": f"Bearer {key}"}),
        await ask(
            "POST",
            chat,
            json=CHAT,
            headers={
                "X-Ingate-Key": key,
                "Authorization": f"Bearer {plant('a provider key of the caller', 'sk-')}",
                "x-api-key": plant("another of the caller", "sk-ant-"),
                "Cookie": f"session={plant('cookie')}",
            },
        ),
    ]
    assert [answer.status_code for answer in answers] == [200] * 3
    failing = {"X-Ingate-Key": key, "X-Ingate-Provider": "broken"}
    assert (await ask("POST", chat, json=CHAT, headers=failing)).status_code >= 500
    await ask(
        "POST", f"/v1beta/models/demo:generateContent?key={plant('key in a query', 'AIza')}", json={}, headers=failing
    )
    await ask("POST", chat, json=CHAT, headers={"X-Ingate-Key": plant("unknown key", "sk-ingate-")})
    await ask("POST", chat, json=CHAT, params={"api_key": plant("key in a proxied query", "sk-ingate-")})


async def over_grpc(target, canaries, token, key, gateway_token):
    """Uses secrets over gRPC, most of them wrongly."""
    plant = canaries.plant
    as_owner, as_key = (("authorization", f"Bearer {token}"),), (("x-ingate-key", key),)
    calls = [
        (ListKeysRequest(), as_owner),
        (ListKeysRequest(limit=-1), as_key),
        (ListKeysRequest(), (("x-ingate-gateway", gateway_token),)),
        (ListKeysRequest(), (("x-ingate-gateway", plant("wrong gateway token")),)),
        (ListKeysRequest(), (("x-ingate-key", plant("unknown key over gRPC", "sk-ingate-")),)),
        (ListKeysRequest(), (*as_key, ("authorization", f"Bearer {plant('contradiction', 'ses-ingate-')}"))),
        (CreateKeyRequest(name="x" * 300), as_owner),
        (auth.LoginRequest(email="owner@canary.example", password=plant("password over gRPC")), ()),
        (auth.SignupRequest(email="no address", password=plant("password at sign-up"), org_slug="X"), ()),
        (auth.AcceptInvitationRequest(token=plant("invitation over gRPC", "inv-ingate-"), password="short"), ()),
        (
            CreateProviderRequest(
                name="p", type=PROVIDER_TYPE_OPENAI, base_url="no url", api_key=plant("bad provider")
            ),
            as_owner,
        ),
    ]
    async with connect(target) as channel:
        for request, metadata in calls:
            rpc = BY_REQUEST[type(request)]
            method = channel.unary_unary(
                rpc.path,
                request_serializer=rpc.request.SerializeToString,
                response_deserializer=rpc.response.FromString,
            )
            try:
                await method(request, metadata=metadata, timeout=20)
            except grpc.aio.AioRpcError as error:
                canaries.heard.append(repr(error).encode() + repr(error.trailing_metadata()).encode())


async def test_no_secret_comes_up_anywhere(tmp_path):
    """Not in debug logs, not in the database and the journal of a gateway that was killed, not in errors; hashes do."""
    canaries = Canaries()
    master = base64.b64encode(os.urandom(32)).decode()
    env = {
        "INGATE_MASTER_KEY": canaries.add("master key", master),
        "INGATE_GATEWAY_TOKEN": (gateway_token := canaries.plant("gateway token")),
        "OPENAI_API_KEY": canaries.plant("provider key of the installation", "sk-"),
    }
    with demo_gateway(tmp_path, "--log-level", "debug", "--allow-private-upstreams", "yes", env=env) as spawned:
        async with httpx.AsyncClient(base_url=spawned.url, trust_env=False, timeout=30, verify=False) as client:
            token, key = await over_rest(client, canaries)
        await over_grpc(spawned.grpc, canaries, token, key, gateway_token)
        spawned.child.kill()
        output = spawned.child.output.encode()
    stored = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(output.splitlines()) > 20
    assert not canaries.sing(output)
    assert len(canaries.heard) > 15
    assert not canaries.sing(*canaries.heard)
    assert {"ingate.db"} < set(stored)
    assert not canaries.sing(*stored.values())
    database = b"".join(text for name, text in stored.items() if name.startswith("ingate.db"))
    for name in ("key", "first key", "rotated key", "session"):
        assert hashlib.sha256(canaries.secrets[name].encode()).digest() in database
    # What is no secret is found, so the search works.
    assert b"$argon2id$" in database
    assert b"owner@canary.example" in database
    assert b"/v1/chat/completions" in b"".join(stored.values())
    assert b"AuthService/Login" in output
