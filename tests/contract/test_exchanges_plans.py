"""How the databases find the pages of a list: along an index in the order of the list, so that none is sorted."""

import itertools
from contextlib import contextmanager

import pytest
import pytest_asyncio
from sqlalchemy import event, text

from gen.ingate.exchanges.v1 import exchange_service_pb2 as pb
from gen.ingate.exchanges.v1.exchange_service_pb2_grpc import ExchangeServiceStub
from ingate import clock, cursors
from tests.support.records import MOMENT
from tests.support.tenants import sign_up

ROWS = 20_000
INDEXED = {"session_id": "s7", "user_id": "u7"}
PLACED = {
    "since": clock.to_proto(MOMENT),
    "until": clock.to_proto(MOMENT + ROWS),
    "cursor": "given",
}
PLACE = (MOMENT + ROWS // 2, "00000000-0000-7000-8000-100000000000")
OTHERS = [
    {},
    {"level": 1, "provider": "p", "model": "m"},
    {"status_code": 200, "source": 1, "stream": False},
    {"key_id": "k", "app_id": "a", "team_id": "t"},
]
FILTERS = [
    dict(chosen)
    for number in range(len(INDEXED) + len(PLACED) + 1)
    for chosen in itertools.combinations([*INDEXED.items(), *PLACED.items()], number)
]
FILL = """
INSERT INTO exchanges (id, org_id, created_at, source, provider, served_by, model, method, path, status_code, level,
    stream, latency_ms, cache, attempts, key_id, meta, tags, truncated, session_id, user_id)
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
SELECT '00000000-0000-7000-8000-' || CAST(100000000000 + i AS TEXT), :org_id, CAST(:moment AS BIGINT) + i, 1, 'p', 'p',
    'm', 'POST', '/', 200, 1, false, 1.0, 3, '[]', 'k', '{}', '{}', false,
    's' || CAST(i % 500 AS TEXT), 'u' || CAST(i % 400 AS TEXT) FROM n
"""


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def owner(core):
    """An organisation with many exchanges, of many people and sessions."""
    owner = await sign_up(core.channel, core.gateway_token)
    async with core.database.write() as db:
        await db.execute(text(FILL), {"rows": ROWS, "org_id": owner.org_id, "moment": MOMENT})
        await db.execute(text("ANALYZE"))
    return owner


@contextmanager
def executed(core):
    """Yields the list of the statements on the exchanges, with their parameters, that are executed meanwhile."""
    found = []

    def note(_connection, _cursor, statement, parameters, *_rest):
        if "FROM exchanges" in statement:
            found.append((statement, parameters))

    engine = core.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def plan(core, statement, parameters):
    """Returns what the database says that it would do."""
    async with core.database.read() as db:
        connection = await db.connection()
        if core.database.embedded:
            found = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            return "\n".join(row[-1] for row in found)
        # A table as small as this might as well be read whole; the question is what a large one would need.
        for way in ("seqscan", "bitmapscan"):
            await connection.exec_driver_sql(f"SET LOCAL enable_{way} = off")
        found = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
        return "\n".join(row[0] for row in found)


def wanted(filters):
    """Returns the names of indexes that lead straight to what has these values."""
    indexes = [f"ix_exchanges_org_id_{name}_created_at_id" for name in INDEXED if name in filters]
    return indexes or ["ix_exchanges_org_id_created_at_id"]


@pytest.mark.parametrize("filters", FILTERS, ids=lambda filters: " ".join(filters) or "none")
async def test_a_page_is_read_along_an_index(core, owner, filters):
    """The first page and those after it, whatever else is asked."""
    with executed(core) as statements:
        for others in OTHERS:
            request = pb.ListExchangesRequest(**filters, **others)
            if request.cursor:
                request.cursor = cursors.encode(PLACE, cursors.list_fingerprint(request, owner.org_id))
            await ExchangeServiceStub(core.channel).ListExchanges(request, metadata=owner.owner)
    assert len(statements) == len(OTHERS)
    for statement, parameters in statements:
        found = await plan(core, statement, parameters)
        assert any(f"{name} " in f"{found} " for name in wanted(filters)), found
        assert "TEMP B-TREE" not in found
        assert "Sort" not in found


@pytest.mark.parametrize("name", INDEXED)
async def test_a_count_reads_an_index(core, owner, name):
    """And not the exchanges of everybody else."""
    with executed(core) as statements:
        request = pb.ListExchangesRequest(**{name: INDEXED[name]}, count=True)
        answer = await ExchangeServiceStub(core.channel).ListExchanges(request, metadata=owner.owner)
    assert answer.total == ROWS // {"session_id": 500, "user_id": 400}[name]
    [counting] = [it for it in statements if "count" in it[0]]
    assert wanted({name})[0] in await plan(core, *counting)
