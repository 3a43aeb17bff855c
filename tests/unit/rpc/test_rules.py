import math

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, timestamp_pb2
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given
from hypothesis import strategies as st

from gen.buf.validate import validate_pb2
from gen.ingate.options.v1 import options_pb2
from ingate.rpc.excess import cut
from ingate.rpc.plain import MAX_PROBLEMS
from ingate.rpc.rules import problems

F = descriptor_pb2.FieldDescriptorProto
IF_GIVEN = validate_pb2.IGNORE_IF_ZERO_VALUE
KNOWN = {"defined_only": True}
MANY = F.LABEL_REPEATED


def field(message, name, kind, *, required=False, many=False, optional=False, type_name="", hint="", **rules):
    """Adds a field to a message description; `rules` are those of `buf.validate.FieldRules`."""
    added = message.field.add(name=name, number=len(message.field) + 1, type=kind, type_name=type_name or None)
    added.label = MANY if many else F.LABEL_OPTIONAL
    if optional:
        added.proto3_optional = True
        added.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")
    stated = validate_pb2.FieldRules(required=required, **rules)
    if stated != validate_pb2.FieldRules():
        added.options.Extensions[validate_pb2.field].CopyFrom(stated)
    if hint:
        added.options.Extensions[options_pb2.hint] = hint


def build(name, describe):
    """Returns the message class `tests.rules.<name>.M` that `describe` fills in."""
    file = descriptor_pb2.FileDescriptorProto(
        name=f"tests/rules/{name}.proto",
        package=f"tests.rules.{name}",
        syntax="proto3",
        dependency=[
            "google/protobuf/timestamp.proto",
            "google/protobuf/duration.proto",
            "buf/validate/validate.proto",
            "ingate/options/v1/options.proto",
        ],
    )
    describe(file, file.message_type.add(name="M"))
    pool = descriptor_pool.Default()
    pool.Add(file)
    return GetMessageClass(pool.FindMessageTypeByName(f"tests.rules.{name}.M"))


def describe_all(file, m):
    color = file.enum_type.add(name="Color")
    color.value.add(name="COLOR_UNSPECIFIED", number=0)
    color.value.add(name="COLOR_RED", number=1)
    package = f".{file.package}"
    field(m, "name", F.TYPE_STRING, required=True, string={"max_len": 5})
    slug = {"min_len": 2, "max_len": 10, "pattern": "^(?:[a-z]+)$"}
    field(m, "slug", F.TYPE_STRING, string=slug, ignore=IF_GIVEN, hint="lower-case letters")
    field(m, "plain", F.TYPE_STRING, optional=True, string={"min_len": 1, "pattern": "^(?:[a-z]+)$", "max_len": 9})
    field(m, "data", F.TYPE_BYTES, bytes={"min_len": 2, "max_len": 4}, ignore=IF_GIVEN)
    field(m, "count", F.TYPE_INT32, optional=True, required=True, int32={"gte": 1, "lte": 10})
    field(m, "ratio", F.TYPE_DOUBLE)
    field(m, "color", F.TYPE_ENUM, type_name=f"{package}.Color", enum=KNOWN)
    colors = {"max_items": 3, "items": {"enum": KNOWN | {"not_in": [0]}}}
    field(m, "colors", F.TYPE_ENUM, many=True, type_name=f"{package}.Color", repeated=colors)
    tags = {"max_items": 3, "min_items": 1, "items": {"string": {"pattern": "^(?:[a-z]*)$"}}}
    field(m, "tags", F.TYPE_STRING, many=True, repeated=tags)
    field(m, "child", F.TYPE_MESSAGE, type_name=f"{package}.M")
    field(m, "children", F.TYPE_MESSAGE, many=True, type_name=f"{package}.M")
    field(m, "at", F.TYPE_MESSAGE, type_name=".google.protobuf.Timestamp")
    field(m, "took", F.TYPE_MESSAGE, type_name=".google.protobuf.Duration")
    field(m, "numbers", F.TYPE_UINT64, many=True, repeated={"items": {"uint64": {"lte": 5}}})
    entry = m.nested_type.add(name="LabelsEntry")
    entry.options.map_entry = True
    field(entry, "key", F.TYPE_STRING)
    field(entry, "value", F.TYPE_STRING)
    field(m, "labels", F.TYPE_MESSAGE, many=True, type_name=f"{package}.M.LabelsEntry", map={"max_pairs": 2})
    by_name = m.nested_type.add(name="ByNameEntry")
    by_name.options.map_entry = True
    field(by_name, "key", F.TYPE_STRING)
    field(by_name, "value", F.TYPE_MESSAGE, type_name=f"{package}.M")
    field(m, "by_name", F.TYPE_MESSAGE, many=True, type_name=f"{package}.M.ByNameEntry")


M = build("all", describe_all)


def valid(**changes):
    """Returns a message that keeps every rule, with some fields changed."""
    return M(**({"name": "n", "count": 1, "tags": ["a"]} | changes))


def test_a_message_that_keeps_the_rules_has_no_problems():
    """All fields at their edges."""
    message = valid(
        name="12345",
        slug="ab",
        plain="x",
        data=b"1234",
        count=10,
        ratio=-1.5,
        color=1,
        colors=[1, 1, 1],
        tags=["", "a", "b"],
        child=valid(),
        children=[valid(), valid()],
        at=timestamp_pb2.Timestamp(seconds=253_402_300_799, nanos=999_999_999),
        took=duration_pb2.Duration(seconds=-1, nanos=-5),
        numbers=[0, 5],
        labels={"a": "b", "c": ""},
        by_name={"k": valid()},
    )
    assert problems(message) == {}


@pytest.mark.parametrize(
    ("changes", "path", "problem"),
    [
        ({"name": ""}, "name", "is required"),
        ({"name": "123456"}, "name", "must have at most 5 characters"),
        ({"name": "a\0b"}, "name", "must not contain NUL"),
        ({"count": None}, "count", "is required"),
        ({"count": 0}, "count", "must be at least 1"),
        ({"count": 11}, "count", "must be at most 10"),
        ({"slug": "a"}, "slug", "must have at least 2 characters"),
        ({"slug": "aB"}, "slug", "must be lower-case letters"),
        ({"slug": "ab\n"}, "slug", "must be lower-case letters"),
        ({"plain": ""}, "plain", "must have at least 1 characters"),
        ({"plain": "A"}, "plain", "has an invalid form"),
        ({"data": b"1"}, "data", "must have at least 2 bytes"),
        ({"data": b"12345"}, "data", "must have at most 4 bytes"),
        ({"ratio": math.nan}, "ratio", "must be a finite number"),
        ({"ratio": math.inf}, "ratio", "must be a finite number"),
        ({"color": 7}, "color", "is not a known value"),
        ({"colors": [1, 7]}, "colors[1]", "is not a known value"),
        ({"colors": [0]}, "colors[0]", "is not a known value"),
        ({"colors": [1] * 4}, "colors", "must have at most 3 items"),
        ({"tags": []}, "tags", "must have at least 1 items"),
        ({"tags": ["a", "B"]}, "tags[1]", "has an invalid form"),
        ({"tags": ["a", "\0"]}, "tags[1]", "must not contain NUL"),
        ({"child": M(name="n", tags=["a"])}, "child.count", "is required"),
        ({"children": [valid(), valid(child=valid(name=""))]}, "children[1].child.name", "is required"),
        ({"at": timestamp_pb2.Timestamp(seconds=2**60)}, "at", "is out of range"),
        ({"at": timestamp_pb2.Timestamp(nanos=-1)}, "at", "is out of range"),
        ({"took": duration_pb2.Duration(seconds=2**60)}, "took", "is out of range"),
        ({"numbers": [1, 6]}, "numbers[1]", "must be at most 5"),
        ({"labels": {"a": "1", "b": "2", "c": "3"}}, "labels", "must have at most 2 items"),
        ({"labels": {"a": "\0"}}, "labels[a]", "must not contain NUL"),
        ({"labels": {"a\0": "x"}}, "labels[…]", "must not contain NUL"),
        ({"by_name": {"k": valid(name="")}}, "by_name[k].name", "is required"),
        ({"by_name": {"ключ": valid(name="")}}, "by_name[…].name", "is required"),
    ],
)
def test_a_broken_rule_is_named_by_its_path(changes, path, problem):
    """Each rule, alone, with the words that the caller gets."""
    message = valid(**{name: value for name, value in changes.items() if value is not None})
    for name, value in changes.items():
        if value is None:
            message.ClearField(name)
    assert problems(message) == {path: problem}


def test_a_field_without_presence_that_holds_its_zero_was_not_given():
    """Rules are for values; an empty optional text has none."""
    assert problems(valid(slug="", data=b"", ratio=0.0)) == {}


def test_all_problems_are_told_up_to_a_bound():
    """A message that is wrong everywhere gets a list, not a novel."""
    assert set(problems(M(slug="A"))) == {"name", "count", "tags", "slug"}
    wrong = valid(children=[M() for _ in range(10_000)], labels={"a": "\0"})
    assert MAX_PROBLEMS <= len(problems(wrong)) <= MAX_PROBLEMS + 4


def test_of_what_is_too_long_the_beginning_is_judged():
    """A list of thousands of items that are all wrong costs no more than one that is too long by one."""
    many = {"colors": [7] * 8000, "tags": ["B"] * 4000, "labels": {str(number): "x" for number in range(4000)}}
    message = valid(name="x" * 1_000_000, data=b"x" * 1_000_000, **many)
    sent = message.SerializeToString(deterministic=True)
    assert set(problems(message)) == {
        *("name", "data", "colors", "tags", "labels"),
        *(f"{name}[{place}]" for name in ("colors", "tags") for place in range(4)),
    }
    short = cut(message)
    lengths = {name: len(getattr(short, name)) for name in ("name", "data", "colors", "tags", "labels")}
    assert lengths == {"name": 6, "data": 5, "colors": 4, "tags": 4, "labels": 3}
    assert message.SerializeToString(deterministic=True) == sent


def test_what_is_not_too_long_is_judged_as_it_is():
    """Without a copy, which every request would pay for."""
    message = valid(name="12345", colors=[1, 1, 1])
    assert cut(message) is message


def test_without_depth_what_is_inside_may_hold_anything():
    """Messages inside are taken as they are, but for the rules that they state."""
    odd = valid(at=timestamp_pb2.Timestamp(nanos=-1), ratio=math.nan)
    assert problems(valid(child=odd)) == {"child.at": "is out of range", "child.ratio": "must be a finite number"}
    assert problems(valid(child=odd), deep=False) == {}
    assert problems(valid(ratio=math.nan), deep=False) == {"ratio": "must be a finite number"}


def test_problems_never_quote_a_value():
    """What was sent stays out of the answer."""
    found = problems(valid(name="secret-name", slug="SECRET", labels={"se cret": "\0"}))
    assert "secret" not in repr(found).lower()
    assert "se cret" not in repr(found)


messages = st.deferred(
    lambda: st.builds(
        M,
        name=st.text(max_size=8),
        slug=st.text(max_size=12),
        data=st.binary(max_size=6),
        ratio=st.floats(),
        color=st.integers(-5, 5),
        colors=st.lists(st.integers(-1, 3), max_size=4),
        tags=st.lists(st.text(max_size=3), max_size=4),
        numbers=st.lists(st.integers(0, 9), max_size=3),
        labels=st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3),
        children=st.lists(messages, max_size=2),
    )
)


@given(messages)
def test_any_message_is_judged_without_failing(message):
    """No content raises, and what was judged faultless has no NUL anywhere."""
    if not problems(message):
        assert b"\0" not in "".join((message.name, message.slug, *message.tags, *message.labels)).encode()


def describe_either(_file, m):
    m.oneof_decl.add(name="either").options.Extensions[validate_pb2.oneof].required = True
    for name in ("left", "right"):
        m.field.add(name=name, number=len(m.field) + 1, type=F.TYPE_STRING, label=F.LABEL_OPTIONAL, oneof_index=0)
    field(m, "more", F.TYPE_MESSAGE, many=True, type_name=".tests.rules.either.M")


def test_one_of_several_fields_is_required():
    """The path is that of the choice, wherever it is."""
    either = build("either", describe_either)
    assert problems(either(left="")) == {}
    assert problems(either(more=[either(right="x")])) == {"either": "is required"}
    assert problems(either(left="x", more=[either()])) == {"more[0].either": "is required"}
