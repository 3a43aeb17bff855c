import pytest
from msgspec import Raw, Struct

from ingate.formats.shape import Shape
from ingate.formats.usage import Count


class Inner(Struct):
    name: str
    count: Count | None = None


class Outer(Struct, rename="camel"):
    first_one: str | None = None
    inner: Inner | None = None
    many: str | list[Inner] | None = None
    raw: Raw = Raw()


OUTER = Shape(Outer)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"firstOne":"a","inner":{"name":"n","count":1},"many":"s"}', Outer("a", Inner("n", 1), "s")),
        (b'{"firstOne":5,"inner":{"name":"n","count":-1}}', Outer(None, Inner("n"))),
        (
            b'{"firstOne":"a","inner":{"count":1},"many":[{"name":"x"},{},5,{"name":"y","count":true}]}',
            Outer("a", None, [Inner("x"), Inner("y")]),
        ),
        (b'{"firstOne":"\xff","inner":[],"many":{}}', Outer()),
        (b'{"firstOne":"a","inner":' + b"[" * 500 + b"]" * 500 + b"}", Outer("a")),
        (b"{}", Outer()),
    ],
)
def test_keeps_what_fits(data, expected):
    """Fields and items of the wrong type are left out one by one."""
    assert OUTER.read(data) == expected


@pytest.mark.parametrize(
    ("spelled", "count"),
    [
        (b"10.0", 10),
        (b"1e3", 1000),
        (b'"10"', 10),
        (b"3.7", None),
        (b"-10.0", None),
        (b"1e300", None),
        (b'"ten"', None),
        (b'""', None),
        (b"true", None),
        (b"[10]", None),
    ],
)
def test_whole_numbers_may_be_spelled_as_others(spelled, count):
    """Writers without integers write fractions, and those that spare readers large ones write text."""
    assert OUTER.read(b'{"inner":{"name":"n","count":%b}}' % spelled) == Outer(inner=Inner("n", count))


@pytest.mark.parametrize("data", [b"", b"[]", b"5", b"{", b'{"firstOne":"a"', b'{"x":}', b"[" * 10_000])
def test_what_is_no_object_is_nothing(data):
    """There is no struct in what is no JSON object."""
    assert OUTER.read(data) is None


def test_a_crowd_of_objects_is_not_built():
    """A large text of very many objects keeps its scalars and drops the crowd."""
    data = b'{"firstOne":"a","many":[' + b'{"name":""},' * 300_000 + b'{"name":""}]}'
    assert OUTER.read(data) == Outer("a")
