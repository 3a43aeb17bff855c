"""What clients of other languages are asked to do, and where: at a gateway with the demo model, and where calls fail.

A task is what a client's program reads: `{id, client, feature, url, key, model, text}`. Its id is the client and the
situation, so that results can be looked up.
"""

from contextlib import asynccontextmanager

import grpc

from ingate.rpc.status import Failure
from rest_facade.app import Facade
from rest_facade.dialects import ingate
from rest_facade.failures import Refused
from tests.support.gateway import gateway
from tests.support.ports import free_port
from tests.support.upstream import ScriptedUpstream, stall

HELLO = "Say hello."
FEATURES = {"chat": HELLO, "stream": HELLO, "tools": "What is the weather in Oslo and Paris?", "structured": HELLO}
"""What every client does with the demo model, and what it says to it."""
BAD_KEY = "sk-ingate-" + "x" * 43
LARGEST = 100_000
"""Bytes of a body that the gateway takes."""
PROVOKED = {
    "no provider": (400, "POST /api/v1/providers"),
    "unknown key": (401, "key"),
    "unknown key, streamed": (401, "key"),
    "key without the scope": (403, "scope proxy"),
    "unknown model": (404, "none"),
    "large body": (413, str(LARGEST)),
    "dead provider": (502, "down-"),
    "dead provider, streamed": (502, "down-"),
    "silent provider": (504, "mute-"),
}
"""How a gateway is led to refuse a call: the status, and what the message says."""
REASONS = {reason: status for reason, (status, _) in ingate.BY_REASON.items()}
"""Every reason for which the gateway refuses, and the status."""
TOLD = "In words: a \"quote\", an 'apostrophe' and a ž."
"""What a refusal says that only a stand-in makes."""
_VENDORS = ("openai", "anthropic", "gemini", "ollama")


@asynccontextmanager
async def tasks(clients):
    """Yields the tasks of clients, given by name as in `expectations`, while the servers that they are for are up."""
    async with (
        gateway(demo=True, grpc=False, max_body_bytes=LARGEST) as demo,
        gateway(grpc=False) as empty,
        ScriptedUpstream() as mute,
        _refusing(demo.core.channel) as refusing,
    ):
        mute.script(lambda _request: True, stall())
        org, failing, without = await demo.signup(), await demo.signup(), await empty.signup()
        dead = f"http://127.0.0.1:{free_port()}"
        for vendor in _VENDORS:
            await failing.provider(f"down-{vendor}", vendor, dead)
            await failing.provider(f"mute-{vendor}", vendor, mute.url, timeout_ms=100)
            await failing.provider(f"stated-{vendor}", vendor, dead, models=["m"])
        reader = await org.make_key(scopes=["read"])
        situations = {
            **{name: (name, demo.url, org.key, "demo", text) for name, text in FEATURES.items()},
            "no provider": ("chat", empty.url, without.key, "demo", HELLO),
            "unknown key": ("chat", demo.url, BAD_KEY, "demo", HELLO),
            "unknown key, streamed": ("stream", demo.url, BAD_KEY, "demo", HELLO),
            "key without the scope": ("chat", demo.url, reader, "demo", HELLO),
            "unknown model": ("retrieve", demo.url, failing.key, "stated-{vendor}/none", ""),
            "large body": ("chat", demo.url, org.key, "demo", "x" * LARGEST),
            "dead provider": ("chat", demo.url, failing.key, "down-{vendor}/m", HELLO),
            "dead provider, streamed": ("stream", demo.url, failing.key, "down-{vendor}/m", HELLO),
            "silent provider": ("chat", demo.url, failing.key, "mute-{vendor}/m", HELLO),
            "broken stream": ("stream", demo.url, org.key, "demo-cut", HELLO),
            **{reason: ("chat", f"{refusing}/{reason}", org.key, "demo", HELLO) for reason in REASONS},
        }
        yield [
            dict(
                zip(
                    ("id", "client", "feature", "url", "key", "model", "text"),
                    (f"{client}: {name}", client, feature, url, key, model.format(vendor=facts.vendor), text),
                    strict=True,
                )
            )
            for client, facts in clients.items()
            for name, (feature, url, key, model, text) in situations.items()
            if facts.retrieves or feature != "retrieve"
        ]


@asynccontextmanager
async def _refusing(channel):
    """Yields the URL of a facade that refuses every proxied call for the reason that its path begins with."""

    async def refuse(_request_id, head, body, _sink):
        await body.read(LARGEST, 30.0)
        raise Refused(Failure(grpc.StatusCode.UNKNOWN, head.path.split("/")[1], TOLD))

    facade = Facade(channel, [ingate.dialect()], refuse)
    try:
        yield f"http://127.0.0.1:{await facade.start('127.0.0.1', 0)}"
    finally:
        await facade.drain(1.0)
