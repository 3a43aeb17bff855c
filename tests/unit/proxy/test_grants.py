"""The cache of grants against a core that answers as each test says, by a clock that each test moves."""

import asyncio
from types import SimpleNamespace

import pytest
from grpc import StatusCode

from gen.ingate.gateway.v1 import gateway_service_pb2_grpc
from ingate import clock
from ingate.errors import Unauthenticated, Unavailable
from ingate.proxy import admission, news, snapshots
from ingate.proxy.admission import Admission
from ingate.proxy.grants import Grants
from ingate.proxy.news import News
from ingate.rpc.inprocess import InProcessServer
from tests.support.admitting import Core
from tests.support.waiting import eventually

TTL = 30.0
KEY, OTHER = b"k" * 32, b"o" * 32


@pytest.fixture
def now(monkeypatch):
    """The monotonic clock: `now.moment` is set by the test."""
    found = SimpleNamespace(moment=1000.0)
    for module in (news, snapshots):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: found.moment))
    return found


@pytest.fixture
async def core(now, monkeypatch):
    """A core, and of a gateway that asks it `core.cache`, its grants, and `core.told`, its news.

    Everybody has the patience of a busy machine.
    """
    monkeypatch.setattr(admission, "ANSWER_SECONDS", 600.0)
    monkeypatch.setattr(admission, "TURN_SECONDS", 600.0)
    server, core = InProcessServer(), Core()
    gateway_service_pb2_grpc.add_GatewayServiceServicer_to_server(core, server)
    stub = gateway_service_pb2_grpc.GatewayServiceStub(server.channel())
    core.told = News(stub, ())
    core.cache = Grants(Admission(stub, ()), core.told, ttl=TTL)
    yield core
    await core.cache.aclose()
    await server.stop(None)


@pytest.fixture
async def watched(core, monkeypatch):
    """The core, whose news the gateway follows, with the same patience."""
    monkeypatch.setattr(news, "SILENCE", 600.0)
    job = asyncio.create_task(core.told.watch())
    await tell(core, (7,))
    yield core
    job.cancel()
    await asyncio.wait([job])


async def tell(core, *words):
    """Returns when the gateway has heard them."""
    for word in words:
        await core.news.put(word)
        await eventually(lambda word=word: core.told._following and core.told._epoch == word[0] and core.news.empty())


async def version(core, key=KEY):
    """Returns which answer of the core the grant of a key is."""
    return (await core.cache.grant(key)).rate_limit


async def refused(core, key=KEY):
    with pytest.raises(Unauthenticated):
        await core.cache.grant(key)


async def unavailable(core, key=KEY):
    with pytest.raises(Unavailable):
        await core.cache.grant(key)


@pytest.mark.parametrize("step", [0, clock.HOUR, -clock.HOUR], ids=["", "clock ahead", "clock back"])
async def test_use_does_not_extend_the_life_of_a_grant(watched, now, monkeypatch, step):
    """It ends with its time, however often it was used, and whatever the wall clock does."""
    watched.keys[KEY] = "a"
    assert await version(watched) == 1
    monkeypatch.setattr(clock, "now", lambda real=clock.now: real() + step)
    for _ in range(int(TTL)):
        now.moment += 0.999
        watched.told.live_until = now.moment + 1
        assert await version(watched) == 1
    now.moment += 0.1
    assert await version(watched) == 2


async def test_a_grant_counts_from_the_question(watched, now):
    """How long the answer took is a part of its time."""
    watched.keys[KEY] = "a"
    watched.held = asyncio.Event()
    asking = asyncio.create_task(version(watched))
    await eventually(lambda: watched.asked)
    now.moment += TTL - 1
    watched.held.set()
    assert await asking == 1
    now.moment += 1
    assert watched.cache.known(KEY) is None


async def test_news_drop_the_grants_they_concern(watched):
    """Those of other organisations stay."""
    watched.keys |= {KEY: "a", OTHER: "b"}
    assert [await version(watched), await version(watched, OTHER)] == [1, 2]
    await tell(watched, (8, "a"))
    assert [await version(watched), await version(watched, OTHER)] == [3, 2]


@pytest.mark.parametrize("words", [[(7,)], [(7,), (7,)]])
async def test_a_heartbeat_drops_nothing(watched, words):
    """It says that nothing has changed."""
    watched.keys[KEY] = "a"
    assert await version(watched) == 1
    await tell(watched, *words)
    assert await version(watched) == 1


@pytest.mark.parametrize(
    "words",
    [[(9, "b")], [(8,)], [(6,)], [(3, "b")], [(7, "b")], [(0,)]],
    ids=["a gap", "a gap in silence", "lower", "lower with news", "twice", "nothing"],
)
async def test_epochs_that_do_not_count_up_drop_everything(watched, words):
    """News were missed, or the core is another: which grants they concerned is not known."""
    watched.keys |= {KEY: "a", OTHER: "b"}
    assert [await version(watched), await version(watched, OTHER)] == [1, 2]
    await tell(watched, *words)
    assert [await version(watched), await version(watched, OTHER)] == [3, 4]


async def test_a_new_stream_drops_everything(watched, monkeypatch):
    """Even where it begins at the epoch at which the last one ended."""
    monkeypatch.setattr(news, "RECONNECT_SECONDS", 0.0)
    watched.keys[KEY] = "a"
    assert await version(watched) == 1
    await watched.news.put(None)
    await eventually(lambda: watched.watching == 2)
    await tell(watched, (7,))
    assert await version(watched) == 2


@pytest.mark.parametrize("told", ["by the stream", "directly"])
async def test_an_answer_from_before_a_change_is_used_once(watched, told):
    """Whoever asks after the change asks the core anew, and the old answer does not come back."""
    watched.keys[KEY] = "a"
    watched.held = asyncio.Event()
    before = asyncio.create_task(version(watched))
    await eventually(lambda: watched.asked)
    if told == "directly":
        watched.told.forget(("a",))
    else:
        await tell(watched, (8, "a"))
    after = asyncio.create_task(version(watched))
    await eventually(lambda: len(watched.asked) == 2)
    watched.held.set()
    assert await asyncio.gather(before, after) == [1, 2]
    assert await version(watched) == 2
    assert len(watched.asked) == 2


async def test_a_change_elsewhere_does_not_spoil_an_answer(watched):
    """Or a busy installation would ask for the same key again and again."""
    watched.keys[KEY] = "a"
    watched.held = asyncio.Event()
    asking = asyncio.create_task(version(watched))
    await eventually(lambda: watched.asked)
    await tell(watched, (8, "b"))
    watched.held.set()
    assert await asking == 1
    assert await version(watched) == 1


async def test_a_key_made_while_it_was_being_refused_works(watched):
    """The refusal is from before, and is not remembered."""
    watched.held = asyncio.Event()
    before = asyncio.create_task(refused(watched))
    await eventually(lambda: watched.asked)
    watched.keys[KEY] = "a"
    await tell(watched, (8, "a"))
    watched.held.set()
    await before
    assert await version(watched) == 2


async def test_concurrent_first_uses_ask_once(watched):
    """A thousand at a time."""
    watched.keys[KEY] = "a"
    assert set(await asyncio.gather(*(version(watched) for _ in range(1000)))) == {1}
    assert watched.asked == [KEY]


async def test_without_news_a_grant_is_asked_for_again_after_a_second(core, now):
    """While the core answers, what is older than that is not used."""
    core.keys[KEY] = "a"
    assert await version(core) == 1
    now.moment += snapshots.STALE * 0.99
    assert await version(core) == 1
    now.moment += snapshots.STALE * 0.02
    assert await version(core) == 2
    del core.keys[KEY]
    now.moment += snapshots.STALE
    await refused(core)


@pytest.mark.parametrize("how", [StatusCode.UNAVAILABLE, StatusCode.INTERNAL, None], ids=["away", "failing", "hanging"])
async def test_without_the_core_a_grant_serves_until_its_end(core, now, monkeypatch, how):
    """Then the gateway says that it cannot tell."""
    core.keys[KEY] = "a"
    assert await version(core) == 1
    core.away = how
    if how is None:
        monkeypatch.setattr(admission, "ANSWER_SECONDS", 0.01)
        core.held = asyncio.Event()
    now.moment += TTL - 0.01
    assert await version(core) == 1
    now.moment += 0.01
    await unavailable(core)
    await unavailable(core, OTHER)


async def test_a_grant_that_ends_while_the_core_is_asked_is_not_used(core, now):
    """What counts is the moment of the answer that does not come."""
    core.keys[KEY] = "a"
    assert await version(core) == 1
    core.away, core.held = StatusCode.UNAVAILABLE, asyncio.Event()
    now.moment += TTL - 1
    asking = asyncio.create_task(unavailable(core))
    await eventually(lambda: len(core.asked) == 2)
    now.moment += 1
    core.held.set()
    await asking


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_a_grant_that_was_dropped_never_comes_back(watched, when):
    """Neither when the core fails after the news, nor when the news come while it is failing."""
    watched.keys[KEY] = "a"
    assert await version(watched) == 1
    watched.away, watched.held = StatusCode.UNAVAILABLE, asyncio.Event()
    if when == "before":
        await tell(watched, (8, "a"))
    else:
        watched.told.live_until = 0.0
        watched.cache._snapshots._entries[KEY].fetched -= snapshots.STALE
    asking = asyncio.create_task(unavailable(watched))
    await eventually(lambda: len(watched.asked) == 2)
    if when == "meanwhile":
        await tell(watched, (8, "a"))
    watched.held.set()
    await asking


async def test_a_stream_that_is_silent_counts_as_lost(watched, now, monkeypatch):
    """By the clock at once, and then it is left for another, as one whose other end is gone."""
    watched.keys[KEY] = "a"
    watched.cache._snapshots._ttl = 2 * news.SILENCE
    assert await version(watched) == 1
    now.moment += news.SILENCE - 0.01
    assert await version(watched) == 1
    now.moment += 0.01
    assert await version(watched) == 2
    monkeypatch.setattr(news, "SILENCE", 0.01)
    await tell(watched, (7,))
    await eventually(lambda: watched.watching > 1)


async def test_unknown_keys_push_out_no_grant(watched, monkeypatch):
    """Many leave every grant where it is, are remembered within bounds, and are asked for a few at a time."""
    monkeypatch.setattr(snapshots, "REFUSALS", 1000)
    used = [b"used %d" % number for number in range(100)]
    watched.keys |= dict.fromkeys(used, "a")
    versions = [await version(watched, key) for key in used]
    watched.most = 0
    for start in range(0, 5000, 500):
        await asyncio.gather(*(refused(watched, b"%d" % number) for number in range(start, start + 500)))
    assert watched.most <= admission.STRANGE_AT_ONCE
    assert [await version(watched, key) for key in used] == versions
    assert (len(watched.cache._snapshots._entries), len(watched.cache._snapshots._refused)) == (
        len(used),
        snapshots.REFUSALS,
    )
    assert (watched.cache._snapshots._fetching, watched.cache._snapshots._fetches) == ({}, set())


async def test_a_refusal_is_remembered_for_a_few_seconds(watched, now):
    """It costs the core one question; use does not extend it."""
    for _ in range(4):
        await refused(watched)
        now.moment += snapshots.NEGATIVE_SECONDS / 4 - 0.01
        watched.told.live_until = now.moment + 1
    assert watched.asked == [KEY]
    watched.keys[KEY] = "a"
    now.moment += 0.05
    assert await version(watched) == 2


async def test_a_refusal_ends_with_the_next_news(watched):
    """So that a key which is made now works now."""
    await refused(watched)
    watched.keys[KEY] = "a"
    await tell(watched, (8, "a"))
    assert await version(watched) == 2


async def test_without_news_a_refusal_is_as_short_as_a_grant(core, now):
    """Nobody would tell that the key was made."""
    await refused(core)
    core.keys[KEY] = "a"
    await refused(core)
    now.moment += snapshots.STALE
    assert await version(core) == 2


async def test_the_grants_least_used_go_first(watched, now, monkeypatch):
    """Of more keys than there is room for, those in use stay."""
    monkeypatch.setattr(snapshots, "CAPACITY", 10)
    keys = [b"%d" % number for number in range(100)]
    watched.keys |= dict.fromkeys(keys, "a")
    versions = [await version(watched, key) for key in keys[:2]]
    for key in keys[2:]:
        await version(watched, key)
        now.moment += 0.001
        assert [watched.cache.known(used).rate_limit for used in keys[:2]] == versions
        assert len(watched.cache._snapshots._entries) <= 10


async def test_a_flood_of_unknown_keys_delays_no_known_one(watched, now, monkeypatch):
    """Neither a grant that ended nor one that was dropped waits behind them; beyond a bound they are turned away."""
    monkeypatch.setattr(admission, "STRANGE_WAITING", 50)
    watched.keys |= {KEY: "a", OTHER: "b"}
    assert [await version(watched), await version(watched, OTHER)] == [1, 2]
    now.moment += TTL
    await tell(watched, (8, "b"))
    watched.held = asyncio.Event()
    flood = [asyncio.create_task(refused(watched, b"%d" % number)) for number in range(50)]
    await eventually(lambda: watched.at_once == admission.STRANGE_AT_ONCE)
    await unavailable(watched, b"one more")
    renewed = asyncio.gather(version(watched), version(watched, OTHER))
    await eventually(lambda: watched.at_once == admission.STRANGE_AT_ONCE + 2)
    watched.held.set()
    assert sorted(await renewed) == [7, 8]
    await asyncio.gather(*flood)


@pytest.mark.parametrize("strange", [True, False])
async def test_who_waits_for_a_turn_does_not_wait_for_ever(core, now, monkeypatch, strange):
    """A core that hangs does not make questions queue up for minutes; a known key serves until its end."""
    monkeypatch.setattr(admission, "TURN_SECONDS", 0.01)
    keys = [b"%d" % number for number in range(50)]
    if not strange:
        core.keys |= dict.fromkeys(keys, "a")
        versions = [await version(core, key) for key in keys]
        now.moment += snapshots.STALE
    asked = len(core.asked)
    core.held = asyncio.Event()
    at_once = admission.STRANGE_AT_ONCE if strange else admission.KNOWN_AT_ONCE
    asking = [asyncio.create_task(core.cache.grant(key)) for key in keys]
    while sum(it.done() for it in asking) < len(keys) - at_once:
        await asyncio.wait([it for it in asking if not it.done()], return_when=asyncio.FIRST_COMPLETED)
    assert len(core.asked) == asked + at_once
    if strange:
        assert {type(it.exception()) for it in asking[at_once:]} == {Unavailable}
    else:
        assert [it.result().rate_limit for it in asking[at_once:]] == versions[at_once:]
    core.held.set()
    await asyncio.wait(asking)
