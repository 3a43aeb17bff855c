"""Bodies of which some places are changed: every other byte stays, and nothing large is copied."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.formats import LARGE, at_once, views
from ingate.formats.spliced import Spliced, splicing


def pieces(*sizes):
    """Returns a body whose bytes tell where they were."""
    return [bytes([65 + number % 26]) * size for number, size in enumerate(sizes)]


@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 9, 65_536, 65_537, 200_000]), st.binary(max_size=9)), max_size=6),
    st.sampled_from([0, 5, 300_000]),
)
def test_every_other_byte_stays(parts, tail):
    """Whatever lies between the changes, a small body is bytes and a large one as good as that."""
    body = expected = b""
    changes = []
    for between, (size, value) in zip(pieces(*[size for size, _ in parts]), parts, strict=True):
        start = len(body) + size
        body += between + b"<old>"
        changes.append(((start, start + 5), value))
        expected += between + value
    body, expected = body + b"z" * tail, expected + b"z" * tail

    new = at_once(splicing(body, changes))

    assert isinstance(new, Spliced) == (len(body) > LARGE)
    assert (len(new), bytes(new)) == (len(expected), expected)
    assert b"".join(views(new)) == expected
    assert all(views(new)) or not expected


def test_a_large_body_is_not_copied():
    """What lies between changes is the same memory."""
    body = b"a" * 1_000_000 + b"old" + b"b" * 1_000_000

    first, _, last = views(at_once(splicing(body, [((1_000_000, 1_000_003), b"new")])))

    assert first.obj is body
    assert last.obj is body


@pytest.mark.parametrize("count", [20_000])
def test_many_changes_are_made_in_pieces(count):
    """Others have their turn between them, and few pieces come of them."""
    body = b"old," * count
    steps = splicing(body, (((at, at + 3), b"n") for at in range(0, len(body), 4)))
    turns = 0
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            new = ended.value
            break
        turns += 1

    assert bytes(new) == b"n," * count
    assert turns > count // 1000
    assert len(list(views(new))) < 5
