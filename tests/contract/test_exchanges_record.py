import asyncio
import json

import pytest
from grpc import StatusCode
from sqlalchemy import func, select

from gen.ingate.exchanges.v1 import exchange_pb2
from gen.ingate.exchanges.v1 import exchange_service_pb2 as pb
from gen.ingate.exchanges.v1.exchange_service_pb2_grpc import ExchangeServiceStub
from gen.ingate.exchanges.v1.record_service_pb2 import RecordRequest
from ingate import clock, ids
from ingate.exchanges import record_servicer
from ingate.exchanges.call_lines import CallLines
from ingate.exchanges.rows import COLUMNS, rows
from ingate.exchanges.tables import Exchange
from ingate.packed import pack
from ingate.proxy.journal import Journal, Shipper
from ingate.proxy.shipping import ship_over
from tests.support.records import message, packed, record
from tests.support.tenants import refusal

ODD = "a\0b \U0001f916 \ufeff\u202e\ud7ff\ue000\uffff \x01\x7f\x85"
ANSWERED = json.dumps(
    {
        "model": "gpt-4o",
        "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
    }
).encode()
CLEAN = ODD.replace("\0", "\ufffd")


@pytest.fixture(scope="module")
def grpc_stub_cls():
    return ExchangeServiceStub


async def store(stub, gateway, *records):
    await stub.Record(RecordRequest(records=records), metadata=gateway)


async def load(stub, tenant, request_id):
    return await stub.GetExchange(pb.GetExchangeRequest(request_id=request_id), metadata=tenant.owner)


async def test_a_prepared_core_loads_nothing_at_its_first_batch(core, tenant, monkeypatch):
    """Neither prices nor statements: on a busy process that takes seconds, in which nothing else is recorded."""
    loaded = []
    prepared = record_servicer.RecordServicer(core.database, lambda _: None, CallLines(core.database, 1))
    with monkeypatch.context() as patch:
        patch.setattr(record_servicer.price_list, "load", lambda: loaded.append("prices"))
        await prepared.prepare()
    assert "prices" in loaded
    made = prepared._inserts
    assert made
    await prepared.Record(RecordRequest(records=[record(tenant.org_id)]), None)
    assert prepared._inserts is made


def stated(exchange):
    """Returns an exchange without what is computed of it on arrival."""
    for name in ("total_tokens", "cost_usd", "cost_source", "usage_source"):
        exchange.ClearField(name)
    return exchange


async def test_everything_that_is_recorded_comes_back(grpc_stub, recording, tenant, gateway):
    """Each field and the payload, and a total and a cost beside them."""
    payload = exchange_pb2.Payload(
        request_headers=b'{"a":"b"}',
        request_body=bytes(range(256)),
        response_headers=b"{}",
        response_body=b"\x00\xff",
        truncated=True,
    )
    attempts = [
        exchange_pb2.Attempt(provider="a", error="connect_failed", latency_ms=1.25),
        exchange_pb2.Attempt(provider="b", status_code=200, latency_ms=2.5),
    ]
    sent = record(
        tenant.org_id,
        payload=payload,
        price_provider="openai",
        model="gpt-4o",
        error_code="provider_timeout",
        stream=True,
        ttft_ms=0.0,
        input_tokens=1000,
        output_tokens=0,
        cache_read_tokens=500,
        attempts=attempts,
        user_id="u",
        session_id="s",
        app_id="app",
        team_id="team",
        prompt="",
        completion="Hi",
        metadata={"finish_reason": "stop"},
        tags={"a": "1", "🤖": ""},
    )
    await store(recording, gateway, sent)
    got = await load(grpc_stub, tenant, sent.exchange.request_id)
    assert got.payload == payload
    assert (got.exchange.total_tokens, got.exchange.cost_usd) == (1500, "0.003125")
    assert got.exchange.cost_source == exchange_pb2.COST_SOURCE_LIST
    assert got.exchange.usage_source == exchange_pb2.USAGE_SOURCE_PROVIDER
    assert stated(got.exchange) == sent.exchange


async def test_what_is_unknown_stays_unknown(grpc_stub, recording, tenant, gateway):
    """Absent counts, prices and texts are absent, not zero and not empty; so is a payload that was not kept."""
    sent = record(tenant.org_id)
    await store(recording, gateway, sent)
    got = await load(grpc_stub, tenant, sent.exchange.request_id)
    assert got.exchange.cost_source == exchange_pb2.COST_SOURCE_UNKNOWN
    assert stated(got.exchange) == sent.exchange
    assert got.payload == exchange_pb2.Payload()


async def test_the_same_record_again_changes_nothing(grpc_stub, recording, tenant, gateway, core):
    """The first one with an id stays, in the same batch, a later one or one for another organisation."""
    first = record(tenant.org_id, model="first")
    again = record(tenant.org_id, model="again", request_id=first.exchange.request_id)
    foreign = record(ids.uuid7(), model="foreign", request_id=first.exchange.request_id)
    await store(recording, gateway, first, first)
    await store(recording, gateway, again, foreign, record(tenant.org_id))
    assert (await load(grpc_stub, tenant, first.exchange.request_id)).exchange.model == "first"
    async with core.database.read() as db:
        mine = Exchange.org_id == tenant.org_id
        assert await db.scalar(select(func.count()).select_from(Exchange).where(mine)) == 2


async def test_batches_that_overlap_may_come_at_once(grpc_stub, recording, tenant, gateway):
    """Eight batches of the same records, in different orders, all succeed and store each once."""
    records = [record(tenant.org_id) for _ in range(60)]
    turned = [records[n:] + records[:n] for n in range(0, 60, 15)]
    await asyncio.gather(
        *(store(recording, gateway, *batch[:: -1 if n % 2 else 1]) for n, batch in enumerate(turned * 2))
    )
    listed = await grpc_stub.ListExchanges(pb.ListExchangesRequest(limit=200, count=True), metadata=tenant.owner)
    assert listed.total == 60
    assert {item.request_id for item in listed.items} == {it.exchange.request_id for it in records}


async def test_a_batch_of_any_size_is_stored_whole(grpc_stub, recording, tenant, gateway):
    """However many statements it takes, the largest among them."""
    records = [record(tenant.org_id) for _ in range(sum(record_servicer.INSERTED_AT_ONCE) + 2)]
    await store(recording, gateway, *records)
    listed, cursor = [], ""
    while not listed or cursor:
        request = pb.ListExchangesRequest(limit=200, cursor=cursor)
        page = await grpc_stub.ListExchanges(request, metadata=tenant.owner)
        listed += [item.request_id for item in page.items]
        cursor = page.next_cursor
    assert sorted(listed) == sorted(it.exchange.request_id for it in records)


async def test_what_a_record_leaves_is_learned_from_its_bodies(grpc_stub, recording, tenant, gateway):
    """Beside records that state it themselves; bodies come back as they were."""
    payload = exchange_pb2.Payload(
        request_body=b'{"messages":[{"role":"user","content":"Hello"}]}',
        response_body=b'{"model":"m","choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":3,"completion_tokens":1}}',
    )
    left, stated = record(tenant.org_id, payload=payload, model="asked"), record(tenant.org_id, prompt="stated")
    left.format, left.media_type = "openai_chat", "application/json"
    await store(recording, gateway, left, stated)
    got = await load(grpc_stub, tenant, left.exchange.request_id)
    said = got.exchange
    assert (said.model, said.prompt, said.completion) == ("m", "Hello", "Hi")
    assert said.metadata == {"finish_reason": "stop"}
    assert (said.input_tokens, said.output_tokens, said.total_tokens) == (3, 1, 4)
    assert got.payload == payload
    assert (await load(grpc_stub, tenant, stated.exchange.request_id)).exchange.prompt == "stated"


async def test_a_journal_of_an_earlier_version_is_recorded(grpc_channel, grpc_stub, tenant, gateway, tmp_path):
    """It holds messages; the one that goes on beside it holds packed records too. Both arrive, once."""
    old, new = record(tenant.org_id), packed(tenant.org_id, answered=ANSWERED)
    earlier = Journal(tmp_path)
    earlier.append(old.SerializeToString())
    earlier.close()
    journal = Journal(tmp_path)
    journal.append(pack(new))
    journal.append(old.SerializeToString())
    shipper = Shipper(journal, ship_over(grpc_channel, gateway))
    shipper.start()
    await shipper.drained()
    await shipper.stop(1)
    journal.close()
    assert list(tmp_path.iterdir()) == []
    assert stated((await load(grpc_stub, tenant, old.exchange.request_id)).exchange) == old.exchange
    got = await load(grpc_stub, tenant, new.request_id)
    # For a million, 5 times $2.50, 4 times $1.25 and 2 times $10.
    assert (got.exchange.completion, got.exchange.input_tokens, got.exchange.cost_usd) == ("Hi", 5, "0.0000375")
    assert got.payload == message(new).payload


_NO_TEXT = pack(packed(ids.uuid7(), model="model")).replace(b"model", b"mod\xffl")
_DEEP = b"\xdc\x00\x14" + pack(packed(ids.uuid7()))[3:] + b"\x91" * 100_000


@pytest.mark.parametrize(
    "broken", [b"", b"\xdc", b"\xdc\x00\x01\xa1x", b"\xc1" * 20, pack([1] * 30), _NO_TEXT, _DEEP], ids=range(7)
)
async def test_what_is_no_packed_record_is_named(recording, bystander, gateway, broken):
    """Its batch is refused for good, and nothing of it is stored."""
    request = RecordRequest(packed=[pack(packed(bystander.org_id)), broken])
    failure = await refusal(recording.Record(request, metadata=gateway))
    assert (failure.code, list(failure.fields)) == (StatusCode.INVALID_ARGUMENT, ["packed[1]"])


async def test_packed_records_count_in_the_bound_of_a_batch(recording, gateway):
    """Both kinds together."""
    request = RecordRequest(records=[record(ids.uuid7())], packed=[b""] * record_servicer.MOST)
    failure = await refusal(recording.Record(request, metadata=gateway))
    assert (failure.code, list(failure.fields)) == (StatusCode.INVALID_ARGUMENT, ["records"])


async def test_an_empty_batch_is_no_batch(recording, gateway):
    """It succeeds and stores nothing."""
    await store(recording, gateway)


async def test_text_survives_whatever_is_in_it(grpc_stub, recording, tenant, gateway):
    """NUL becomes a replacement character where text cannot hold it; all other characters come back as they were."""
    texts = ("provider", "served_by", "model", "path", "user_id", "session_id", "prompt", "completion", "error_code")
    sent = record(
        tenant.org_id,
        **dict.fromkeys(texts, ODD),
        method="P\0ST",
        app_id="a\0",
        team_id="t\0",
        metadata={ODD: ODD},
        tags={ODD: ODD},
        attempts=[exchange_pb2.Attempt(provider=ODD, error=ODD)],
    )
    sent.price_provider = ODD
    await store(recording, gateway, sent)
    got = (await load(grpc_stub, tenant, sent.exchange.request_id)).exchange
    assert {name: getattr(got, name) for name in texts} == dict.fromkeys(texts, CLEAN)
    assert (got.method, got.app_id, got.team_id) == ("P\ufffdST", "a\ufffd", "t\ufffd")
    assert (dict(got.metadata), dict(got.tags), got.attempts[0].error) == ({ODD: ODD}, {ODD: ODD}, ODD)


async def test_text_that_is_too_long_is_cut(grpc_stub, recording, tenant, gateway):
    """One caller's odd request does not keep the others' from being recorded; bounds count characters, not bytes."""
    long = "🤖" * 100_000
    bounds = {"provider": 256, "served_by": 256, "model": 256, "method": 32, "error_code": 64}
    bounds |= {"user_id": 256, "session_id": 256, "app_id": 64, "team_id": 64, "path": 100_000, "prompt": 100_000}
    sent = record(tenant.org_id, price_provider=long, **dict.fromkeys(bounds, long))
    other = record(tenant.org_id)
    await store(recording, gateway, sent, other)
    got = (await load(grpc_stub, tenant, sent.exchange.request_id)).exchange
    assert {name: len(getattr(got, name)) for name in bounds} == bounds
    assert stated((await load(grpc_stub, tenant, other.exchange.request_id)).exchange) == other.exchange


async def test_enormous_counts_are_stored_and_their_price_is_unknown(grpc_stub, recording, tenant, gateway):
    """A cost that no column holds is unset."""
    sent = record(tenant.org_id, model="gpt-4o", price_provider="openai", input_tokens=2**60, output_tokens=2**60)
    await store(recording, gateway, sent)
    got = (await load(grpc_stub, tenant, sent.exchange.request_id)).exchange
    assert (got.total_tokens, got.HasField("cost_usd")) == (2**61, False)


def broken(org_id, field, value):
    sent = record(org_id)
    if field == "org_id":
        sent.org_id = value
    elif field == "created_at":
        sent.exchange.created_at.seconds = value
    else:
        setattr(sent.exchange, field, value)
    return sent


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *((field, value) for field in ("request_id", "key_id", "org_id") for value in ("", "x", "0" * 36, "é" * 36)),
        ("request_id", "0198c0de-0000-7000-8000-00000000000\0"),
        ("request_id", "0198c0de-0000-7000-8000-0000000000000"),
        ("created_at", 2**62),
        ("created_at", -(2**62)),
        ("input_tokens", -1),
        ("output_tokens", 2**63 - 1),
        ("latency_ms", float("nan")),
        ("ttft_ms", float("inf")),
    ],
)
async def test_a_record_that_cannot_be_stored_is_named(  # noqa: PLR0917 -- fixtures
    grpc_stub, recording, bystander, gateway, field, value
):
    """Its batch is refused for good, with the place of the record, and nothing of it is stored."""
    good = record(bystander.org_id)
    batch = (good, broken(bystander.org_id, field, value))
    failure = await refusal(store(recording, gateway, *batch))
    place = f"records[1].{'' if field == 'org_id' else 'exchange.'}{field}"
    assert (failure.code, list(failure.fields)) == (StatusCode.INVALID_ARGUMENT, [place])
    missing = await refusal(load(grpc_stub, bystander, good.exchange.request_id))
    assert missing.code is StatusCode.NOT_FOUND


async def test_a_record_late_in_a_batch_is_named_too(recording, bystander, gateway):
    """A batch is converted piece by piece, and places are those in the batch."""
    batch = [record(bystander.org_id) for _ in range(60)]
    batch[58].exchange.key_id = "x"
    failure = await refusal(store(recording, gateway, *batch))
    assert list(failure.fields) == ["records[58].exchange.key_id"]


async def test_what_the_database_refuses_leaves_nothing(grpc_stub, recording, bystander, gateway, monkeypatch):
    """A batch whose last statement fails is stored not even in part, and the connection serves the next one."""
    batch = [record(bystander.org_id) for _ in range(sum(record_servicer.INSERTED_AT_ONCE[1:]))]
    model = COLUMNS.index("model")
    last = max(sent.exchange.request_id for sent in batch)

    def without_a_model(*args):
        made = rows(*args)
        return [(*row[:model], None, *row[model + 1 :]) if row[0] == last else row for row in made]

    await store(recording, gateway, record(bystander.org_id))
    with monkeypatch.context() as patched:
        patched.setattr(record_servicer, "rows", without_a_model)
        assert (await refusal(store(recording, gateway, *batch))).code is StatusCode.INTERNAL
    for sent in batch:
        missing = await refusal(load(grpc_stub, bystander, sent.exchange.request_id))
        assert missing.code is StatusCode.NOT_FOUND
    await store(recording, gateway, *batch)
    for sent in batch:
        assert stated((await load(grpc_stub, bystander, sent.exchange.request_id)).exchange) == sent.exchange


async def test_numbers_without_a_name_are_kept(grpc_stub, recording, tenant, gateway):
    """A newer gateway's sources and levels are recorded as they are, and the oldest moment there is too."""
    sent = record(tenant.org_id, source=99, level=98, cache=97, status_code=2**31 - 1, at=0)
    await store(recording, gateway, sent)
    assert stated((await load(grpc_stub, tenant, sent.exchange.request_id)).exchange) == sent.exchange
    assert clock.from_proto(sent.exchange.created_at) == 0


async def test_bytes_that_are_no_text_are_refused(grpc_channel, gateway):
    """A lone surrogate cannot be in a message, and bytes that say so are no message."""
    sent = record(ids.uuid7(), model="MODEL").SerializeToString().replace(b"MODEL", b"x\xed\xa0\x80x")
    raw = b"\x0a" + bytes([len(sent) & 0x7F | 0x80, len(sent) >> 7]) + sent
    call = grpc_channel.unary_unary("/ingate.exchanges.v1.RecordService/Record", request_serializer=bytes)
    assert (await refusal(call(raw, metadata=gateway))).code is StatusCode.INVALID_ARGUMENT


async def test_only_gateways_record(recording, tenant):
    """An owner and a key are nobody here, even where a gateway speaks for them."""
    request = RecordRequest(records=[record(tenant.org_id)])
    callers = (tenant.owner, tenant.key)
    for metadata in (*callers, *(caller[-1:] for caller in callers), (), (("x-ingate-gateway", "wrong"),)):
        assert (await refusal(recording.Record(request, metadata=metadata))).code is StatusCode.UNAUTHENTICATED
