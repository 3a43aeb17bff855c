"""What vendors answer goes through a gateway untouched, and its entry says what the answer says."""

from datetime import datetime
from decimal import Decimal

import pytest
import pytest_asyncio

from ingate import clock
from ingate.pricing import bill
from ingate.pricing.usage import Usage
from tests.support.answers import ANSWERS
from tests.support.entries import dollars
from tests.support.gateway import gateway
from tests.support.upstream import random_cuts, respond

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERY = 3
"""One in so many is sent: the tests of the formats read them all."""
SAMPLE = ANSWERS[::EVERY]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def org(up):
    async with gateway(grpc=False, stream_usage="leave") as gw:
        org = await gw.signup()
        for kind in sorted({answer.type for answer in SAMPLE}):
            await org.provider(kind, kind, up.url)
        yield org


@pytest.mark.parametrize("answer", SAMPLE, ids=lambda one: one.name)
async def test_an_entry_says_what_the_answer_says(org, up, answer):
    """And the caller gets the bytes that were sent."""
    headers = [("content-type", answer.media), *answer.headers.items()]
    up.enqueue(respond(200, headers, answer.body, framing="chunked", cut=random_cuts(answer.name, longest=400)))
    asking = {"X-Ingate-Provider": answer.type, "Content-Type": answer.content_type}
    sent = answer.request if answer.method == "POST" else None
    came = await org.http.request(answer.method, answer.path, content=sent, headers=asking)
    assert (came.status_code, came.content) == (200, answer.body)

    entry, facts = await org.last(), answer.facts
    usage = facts.usage
    model = facts.model or answer.asked
    assert {name: entry[name] for name in ("model", "stream", "level", "error_code", "error_message")} == {
        "model": model,
        "stream": answer.stream,
        "level": "error" if answer.failure else "info",
        "error_code": "provider_error" if answer.failure else None,
        "error_message": answer.failure,
    }
    assert (entry["prompt"], entry["completion"]) == (answer.prompt, facts.completion)
    if entry["usage_source"] == "estimate":
        # Of a chat that streams and states none.
        assert (usage, answer.stream) == (Usage(), True)
        return
    assert [entry[f"{name}_tokens"] for name in usage.__struct_fields__] == [
        getattr(usage, name) for name in usage.__struct_fields__
    ]
    assert (entry["total_tokens"], entry["units"]) == (usage.total, dict(facts.units))

    # At the prices of now, and of a provider whose type has them: the scripted one's address has none.
    moment = int(datetime.fromisoformat(entry["created_at"]).timestamp() * clock.SECOND)
    made = bill(answer.listed_provider or up.url, model, usage, moment, facts.units, facts.metadata)
    cost = None if made.cost is None else Decimal(made.cost).scaleb(-12)
    assert (dollars(entry), entry["cost_source"]) == (cost, made.source)
    reason = {"cost_reason": made.reason} if made.reason else {}
    assert entry["metadata"] == dict(facts.metadata) | reason
