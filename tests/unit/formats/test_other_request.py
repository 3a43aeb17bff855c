"""Models of requests whose format is not read: found where documents put them, and changed in place."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.formats import LARGE, Format, MalformedBody, at_once, naming_other, read_prompt, taking_out, views
from ingate.formats.multipart import MAX_PARTS

BOUNDARY = b"b-0"


def form(*fields, end=b"--", boundary=BOUNDARY):
    """Returns a form of (name, value) fields; a value of bytes is a file's."""
    parts = []
    for name, value in fields:
        file = b'; filename="a.wav"\r\nContent-Type: audio/wav' if isinstance(value, bytes) else b""
        data = value if isinstance(value, bytes) else value.encode()
        parts.append(
            b'--%b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b' % (boundary, name.encode(), file, data)
        )
    return b"\r\n".join([*parts, b"--" + boundary + end + b"\r\n"])


def named(body, boundary=b"", path="/"):
    return at_once(naming_other(body, boundary, path))


def taken(body, prefix="p", boundary=b"", path="/"):
    return bytes(at_once(taking_out(body, prefix, boundary, path)))


PAD = b'"pad":"%b",' % (b"x" * LARGE)


@pytest.mark.parametrize("pad", [b"", PAD], ids=["small", "large"])
@pytest.mark.parametrize(
    ("before", "model", "after"),
    [
        (b'{%b"model":"p/m","x":{"model":"p/x"},"y":[{"model":"p/y"}]}', "p/m", b'"model":"m"'),
        (b'{%b"input":"p/x", "model" : "p/a/b" }', "p/a/b", b'"model" : "a/b"'),
        (rb'{%b"mod\u0065l":"p\/m"}', "p/m", rb'"mod\u0065l":"m"'),
        (b'{%b"model":"models/p/g","contents":[]}', "p/g", b'"model":"models/g"'),
        (b'{%b"session":{"type":"realtime","model":"p/m"}}', "p/m", b'"type":"realtime","model":"m"'),
        (
            b'{%b"requests":[{"params":{"model":"p/c","tools":[{"model":"p/x"}]}},{"params":{"model":"p/d"}}]}',
            "p/c",
            b'"params":{"model":"d"}',
        ),
        (b'{%b"requests":[{"model":"models/p/e","content":{"model":"p/x"}}]}', "p/e", b'"model":"models/e"'),
        (b'{%b"generateContentRequest":{"model":"models/p/g"}}', None, b'"model":"models/g"'),
        (b'{%b"baseModel":"models/p/g","displayName":"p/x"}', "p/g", b'"baseModel":"models/g"'),
        (b'{%b"batch":{"model":"models/p/g","displayName":"p/x"}}', "p/g", b'"model":"models/g"'),
        (b'{%b"data_source":{"type":"completions","model":"p/m"}}', "p/m", b'"model":"m"'),
        (b'{%b"grader":{"type":"score_model","model":"p/m"}}', "p/m", b'"model":"m"'),
        (b'\xef\xbb\xbf {%b"model":"p/m"}', "p/m", b'"model":"m"'),
    ],
)
def test_json_names_models_where_documents_say(pad, before, model, after):
    """There the prefix goes, and nothing else changes, wherever else it looks like one."""
    body = before % pad
    new = taken(body)

    assert named(body) == model
    assert after in new
    assert len(body) - len(new) in {2, 3, 4, 6}
    assert json.loads(new.decode("utf-8-sig").replace("p/", "")) == json.loads(
        body.decode("utf-8-sig").replace("p/", "").replace("p\\/", "")
    )
    assert new.count(b"p/x") == body.count(b"p/x")


@pytest.mark.parametrize("pad", [b"", PAD], ids=["small", "large"])
@pytest.mark.parametrize(
    ("path", "before", "model", "after"),
    [
        ("show", b'{%b"name":"p/m","details":{"name":"p/x"}}', "p/m", b'"name":"m"'),
        ("show", b'{%b"model":"p/m"}', "p/m", b'"model":"m"'),
        ("delete", b'{%b"name":"p/m:latest"}', "p/m:latest", b'"name":"m:latest"'),
        ("pull", b'{%b"name":"p/hf.co/a/b"}', "p/hf.co/a/b", b'"name":"hf.co/a/b"'),
        ("push", b'{%b"name":"p/me/m"}', "p/me/m", b'"name":"me/m"'),
        ("copy", b'{%b"source":"p/m","destination":"b"}', "p/m", b'"source":"m","destination":"b"'),
        ("copy", b'{%b"source":"p/m","destination":"p/b"}', "p/m", b'"source":"m","destination":"b"'),
        ("copy", b'{%b"source":"m","destination":"p/b"}', "p/b", b'"source":"m","destination":"b"'),
        ("create", b'{%b"from":"p/m","model":"b","system":"p/x"}', "p/m", b'"from":"m","model":"b"'),
        ("create", b'{%b"name":"p/b","from":"p/m","files":{"name":"p/x"}}', "p/b", b'"name":"b","from":"m"'),
    ],
)
def test_ollama_names_models_in_its_own_words(pad, path, before, model, after):
    """Where its endpoints that manage models have them; nowhere else does such a member name one."""
    body = before % pad
    path = f"/api/{path}"

    assert named(body, path=path) == model
    assert after in taken(body, path=path)
    assert taken(body, path=path).count(b"p/x") == body.count(b"p/x")
    if b'"model"' not in body:
        assert (named(body), taken(body)) == (None, body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'["model"]',
        b'"model"',
        b"{",
        b'{"model":"p/m"',
        b'{"model":"p/m"}{}',
        b'{"model":null}',
        b'{"model":5}',
        b'{"model":["p/m"]}',
        b'{"model":""}',
        b'{"Model":"p/m"}',
        b"\xff\x00RIFF",
        b"model=p/m",
        form(("model", "p/m")),
    ],
)
@pytest.mark.parametrize("size", [0, LARGE])
def test_what_names_no_model_is_nobodys_to_judge(body, size):
    """It goes on as it is."""
    body += b" " * size if body[:1] in b"{" and size else b""

    assert named(body) in {None, ""}
    assert taken(body) == body


def test_another_prefix_stays():
    """Of models that are not the provider's, and where nothing follows."""
    for model in ("q/m", "pp/m", "p", "p/", "models/p/", "m/p/m"):
        body = json.dumps({"model": model}).encode()
        assert taken(body) == body


@pytest.mark.parametrize("size", [0, 3 * LARGE])
@pytest.mark.parametrize(
    ("fields", "model", "after"),
    [
        ([("file", b"F"), ("model", "p/m"), ("x", "p/m")], "p/m", [("file", b"F"), ("model", "m"), ("x", "p/m")]),
        ([("model", "p/a/b"), ("file", b"F")], "p/a/b", [("model", "a/b"), ("file", b"F")]),
        ([("model", "q/1"), ("file", b"F"), ("model", "p/2")], "p/2", [("model", "2"), ("file", b"F"), ("model", "2")]),
        ([("model", "p/1"), ("file", b"F"), ("model", "2")], "2", None),
        ([("models", "p/m"), ("file", b"F")], None, None),
        ([("model", "q/m"), ("file", b"F")], "q/m", None),
    ],
)
def test_forms_name_models_in_a_field(size, fields, model, after):
    """The last of that name counts, before or behind a file of any size, and each of them gets its model."""
    grown = [
        [(name, value + b"\x00\xff\r\n--b-" * size if value == b"F" else value) for name, value in it]
        for it in (fields, after or fields)
    ]
    body, expected = (form(*it) for it in grown)

    assert named(body, boundary=BOUNDARY) == model
    assert taken(body, boundary=BOUNDARY) == expected


@pytest.mark.parametrize("parts", [MAX_PARTS + 1, 400_000])
def test_a_form_of_too_many_parts_is_refused(parts):
    """Before the rest of them costs anything; so many are none that an API takes. One part fewer is read."""
    empty = b"--b-0\r\n\r\n\r\n" * parts + b"--b-0--\r\n"
    for steps in (naming_other(empty, BOUNDARY, "/"), taking_out(empty, "p", BOUNDARY, "/")):
        with pytest.raises(MalformedBody, match="more than 1000 parts"):
            at_once(steps)
    most = form(*[("x", "")] * (MAX_PARTS - 1), ("model", "p/m"))
    assert named(most, boundary=BOUNDARY) == "p/m"
    assert read_prompt(Format.OPENAI_IMAGES, empty) is None


def test_a_form_without_its_last_line():
    """A field that does not end is none; those before it are."""
    cut = form(("model", "p/m"), ("file", b"F"))[: -len(b"\r\n--b-0--\r\n")]
    assert named(cut, boundary=BOUNDARY) == "p/m"
    assert taken(cut, boundary=BOUNDARY) == cut.replace(b"p/m", b"m")
    cut = form(("file", b"F"), ("model", "p/m"))[: -len(b"\r\n--b-0--\r\n")]
    assert named(cut, boundary=BOUNDARY) is None
    assert taken(cut, boundary=BOUNDARY) == cut


LARGE_BODIES = {
    "file": (form(("file", b"\r\n--b-1" * 2_000_000), ("model", "p/m")), BOUNDARY),
    "json": (b'{"image":"%b","model":"p/m"}' % (b"A" * 16_000_000), b""),
    "batch": (b'{"requests":[%b]}' % b",".join([b'{"params":{"model":"p/m","messages":[]}}'] * 100_000), b""),
}


@pytest.mark.parametrize("kind", LARGE_BODIES)
def test_work_on_large_bodies_is_done_in_pieces(kind):
    """Of about a millisecond, so that nobody waits for it, and what is large is not copied."""
    body, boundary = LARGE_BODIES[kind]
    for steps in (naming_other(body, boundary, "/"), taking_out(body, "p", boundary, "/")):
        turns = 0
        while True:
            try:
                next(steps)
            except StopIteration as ended:
                result = ended.value
                break
            turns += 1
        assert turns >= len(body) >> 20
    assert bytes(result) == body.replace(b"p/m", b"m")
    largest = max(views(result), key=len)
    assert kind == "batch" or largest.obj is body


@given(
    st.lists(st.tuples(st.sampled_from(["model", "file", "x"]), st.binary(max_size=30)), max_size=5),
    st.text("pq/m", max_size=6),
)
def test_every_other_byte_of_a_form_stays(parts, last):
    """Whatever its fields hold."""
    fields = [(name, value.replace(BOUNDARY, b"")) for name, value in parts if name != "model"]
    body = form(*fields, ("model", last))
    expected = form(*fields, ("model", last.removeprefix("p/") or last))

    assert taken(body, boundary=BOUNDARY) == expected
