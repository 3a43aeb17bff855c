import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.rpc.inprocess.metadata import InvalidMetadataError, Metadatum, check_trailing, outgoing

_keys = st.text(st.sampled_from("abcz019._-"), min_size=1, max_size=12).filter(lambda key: not key.endswith("-bin"))
_printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
_pairs = st.one_of(
    st.tuples(_keys, _printable),
    st.tuples(_keys.map(lambda key: f"{key}-bin"), st.binary(max_size=20)),
)


@given(st.lists(_pairs, max_size=8))
def test_legal_pairs_arrive_as_grpcs_metadata_orders_them(pairs):
    """Every legal pair passes unchanged, grouped by key as grpc.aio.Metadata groups them."""
    assert outgoing(pairs) == tuple(grpc.aio.Metadata(*pairs))
    assert outgoing(grpc.aio.Metadata(*pairs)) == outgoing(tuple(pairs)) == outgoing(pairs)


@given(st.lists(st.tuples(st.text(max_size=6), st.one_of(st.text(max_size=6), st.binary(max_size=6))), max_size=4))
def test_hostile_pairs_are_refused_or_legal(pairs):
    """Anything accepted has a legal key and a value of the kind its key asks for; nothing else is raised."""
    try:
        received = outgoing(pairs)
    except (InvalidMetadataError, TypeError):
        return
    for key, value in received:
        assert key
        assert key == key.lower()
        assert isinstance(value, bytes if key.endswith("-bin") else str)
        assert isinstance(value, bytes) or (value.isascii() and value.isprintable())


@pytest.mark.parametrize("nothing", [None, (), [], {}, grpc.aio.Metadata()])
def test_nothing_is_nothing(nothing):
    """Every way to give no metadata is none."""
    assert outgoing(nothing) == ()


def test_a_pair_has_names():
    """Pairs unpack and have `key` and `value`."""
    (pair,) = outgoing([("k", "v")])
    assert pair == Metadatum("k", "v") == ("k", "v")
    assert (pair.key, pair.value) == ("k", "v")


@pytest.mark.parametrize("pairs", [None, 3, "abc", {"k": "v"}, [("k", 3)], [("k",)], [["k", "v"]]], ids=repr)
def test_trailing_metadata_must_be_pairs(pairs):
    """Everything but an iterable of tuples of key and value is a TypeError."""
    with pytest.raises(TypeError, match="Invalid trailing metadata type"):
        check_trailing(pairs)


@pytest.mark.parametrize("pairs", [(), [], [("k", "v")], (("k-bin", b"v"),), grpc.aio.Metadata(("k", "v"))], ids=repr)
def test_trailing_metadata_may_be_any_iterable_of_pairs(pairs):
    """Tuples, lists and grpc.aio.Metadata are fine."""
    check_trailing(pairs)
