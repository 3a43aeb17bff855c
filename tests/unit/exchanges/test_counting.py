"""How answers are claimed that are counted once; what comes of it is tested on both databases."""

from types import SimpleNamespace

from ingate.exchanges.counting import counted_once
from ingate.exchanges.rows import rows
from tests.support.records import record

ORG = "0198c0de-0000-7000-8000-00000000000a"


class Connection:
    """A connection on which nobody has counted anything; it keeps what it is told."""

    dialect = SimpleNamespace(name="sqlite")

    def __init__(self):
        self.claimed = []
        self.statements = 0

    async def execute(self, _statement, values=()):
        self.statements += 1
        self.claimed += [value["answer_id"] for value in values]
        return []


def made(*names):
    return rows([record(ORG, input_tokens=1, metadata={"answer_id": name}) for name in names], 0)


async def test_answers_are_claimed_in_one_order():
    """Two batches that overlap would otherwise wait for each other for ever."""
    for names in (["a", "b", "c"], ["c", "a", "b"]):
        connection = Connection()
        await counted_once(connection, made(*names))
        assert connection.claimed == ["a", "b", "c"]


async def test_what_is_counted_anyway_asks_nobody():
    """A batch without such an answer costs no statement."""
    connection = Connection()
    plain = rows([record(ORG, input_tokens=1, metadata={"finish_reason": "stop"})] * 3, 0)
    assert await counted_once(connection, plain) == plain
    assert connection.statements == 0
