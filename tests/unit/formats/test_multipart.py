"""Fields of forms are found wherever they stand, and files are passed over."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.formats.multipart import boundary_of, finding, last_value, opening_boundary
from ingate.formats.pace import Budget, Pace, at_once

FILE = b'Content-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav'


def part(headers, value, boundary=b"b0"):
    return b"--" + boundary + b"\r\n" + headers + b"\r\n\r\n" + value + b"\r\n"


def field(name, value, boundary=b"b0"):
    return part(b'Content-Disposition: form-data; name="%b"' % name, value, boundary)


def form(*parts, boundary=b"b0"):
    return b"".join(parts) + b"--" + boundary + b"--\r\n"


def find(body, name=b"model", boundary=b"b0", budget=None):
    spans = at_once(finding(body, boundary, name, budget or Budget(Pace())))
    return [body[start:end] for start, end in spans]


SOUND = part(FILE, b"RIFF" + bytes(range(256)) * 50)


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (form(SOUND, field(b"model", b"whisper-1")), [b"whisper-1"]),
        (form(field(b"model", b"whisper-1"), SOUND), [b"whisper-1"]),
        (form(field(b"model", b"a"), SOUND, field(b"model", b"b")), [b"a", b"b"]),
        (form(field(b"model", b"")), [b""]),
        (form(field(b"models", b"x"), field(b"Model", b"y")), []),
        (form(part(b"content-disposition:form-data; NAME=model", b"m")), [b"m"]),
        (form(part(b'X: 1\r\nContent-Disposition: form-data; name="model"\r\nY: 2', b"m")), [b"m"]),
        (form(part(b'Content-Disposition: form-data; filename="x; name=model"; name="file"', b"m")), []),
        (form(part(b'Content-Disposition: form-data; filename="q\\"; name=model"; name="file"', b"m")), []),
        (form(part(b'Content-Disposition: form-data;\r\n\tname="model"', b"m")), [b"m"]),
        (form(part(b"Content-Disposition: form-data; name=file; surname=x; name=model; x=y", b"m")), [b"m"]),
        (form(part(b'Content-Disposition: form-data; name="model', b"m")), []),
        (form(part(b'X-Content-Disposition: form-data; name="model"', b"m")), []),
        (form(part(b'Content-Disposition: attachment; name="model"', b"m")), []),
        (form(b"--b0\r\n\r\nno headers\r\n", field(b"model", b"m")), [b"m"]),
        (form(part(FILE, b'\r\n--b0x\r\nContent-Disposition: form-data; name="model"\r\n\r\nno\r\n--b')), []),
        (b"preamble\r\n" + form(field(b"model", b"m")), [b"m"]),
        (form(field(b"model", b"m")).replace(b"--b0\r\n", b"--b0 \t\r\n"), [b"m"]),
        (form(field(b"model", b"m")) + field(b"model", b"behind the end"), [b"m"]),
        (field(b"model", b"not ended").removesuffix(b"\r\n"), []),
        (b"--b0\r\n" + b"X: " + b"y" * 9000 + b"\r\n\r\n\r\n" + form(field(b"model", b"m")), []),
        (b"", []),
        (b"--b0", []),
        (b"--b0--", []),
        (b'{"model":"m"}', []),
    ],
)
def test_finds_the_values_of_a_field(body, values):
    """By the name that the disposition of a part states, between delimiters, and nowhere else."""
    assert find(body) == values


@pytest.mark.parametrize(
    ("stated", "boundary"),
    [
        (b"multipart/form-data; boundary=b0", b"b0"),
        (b'Multipart/Form-Data; charset=utf-8; Boundary="b 0:?"', b"b 0:?"),
        (b"multipart/form-data;boundary=----WebKitFormBoundaryA1", b"----WebKitFormBoundaryA1"),
        (b"multipart/form-data", b""),
        (b"multipart/form-data; boundary=", b""),
        (b"multipart/form-data; boundary=" + b"x" * 71, b""),
        (b"multipart/form-database; boundary=b", b""),
        (b"multipart/mixed; boundary=b", b""),
        (b"application/json; boundary=b", b""),
        (b"", b""),
    ],
)
def test_the_media_type_states_the_boundary(stated, boundary):
    """Quoted or not, in any case; more than 70 characters are none."""
    assert boundary_of(stated) == boundary


def test_a_form_shows_its_boundary():
    """In its first line, where no media type is at hand."""
    assert opening_boundary(form(SOUND)) == b"b0"
    assert opening_boundary(b"--b0 \r\nx") == b"b0"
    assert [opening_boundary(body) for body in (b"", b"--", b"--\r\n", b"{}", b"--" + b"x" * 71 + b"\r\n")] == [b""] * 5


def test_places_around_a_window_are_found():
    """Files of any length: a delimiter may lie on the edge of what is looked at in one go."""
    for size in range(256 * 1024 - 100, 256 * 1024 + 60):
        assert find(form(part(FILE, b"\r" * size), field(b"model", b"m"))) == [b"m"]


@given(st.lists(st.tuples(st.sampled_from([b"model", b"file"]), st.binary(max_size=40)), max_size=6))
def test_values_are_exact(parts):
    """Whatever bytes a value has, the boundary aside."""
    body = form(*(field(name, value, b"0b-9f") for name, value in parts), boundary=b"0b-9f")
    assert find(body, boundary=b"0b-9f") == [value for name, value in parts if name == b"model"]


def test_the_last_value_is_a_name():
    """As in JSON, the last counts; what is no text, or too long for a name, is none."""
    for value, name in ((b"m", "m"), ("ü".encode(), "ü"), (b"", None), (b"\xff", None), (b"m" * 1025, None)):
        body = form(field(b"model", b"first"), field(b"model", value))
        assert last_value(body, at_once(finding(body, b"b0", b"model", Budget(Pace())))) == name
    assert last_value(b"", []) is None


@pytest.mark.parametrize(
    "body",
    [
        form(field(b"model", b"m"), part(FILE, b"\r\n--b0x" * 700_000), field(b"model", b"late")),
        form(field(b"model", b"m"), part(b"X: " + b"a" * 8000 + FILE, b"") * 600),
    ],
    ids=["delimiters", "headers"],
)
def test_hostile_forms_cost_what_they_may(body):
    """In pieces; and what was found before the budget ended is kept."""
    pieces = 0
    steps = finding(body, b"b0", b"model", Budget(Pace(), 100_000))
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            spans = ended.value
            break
        pieces += 1
    assert body[slice(*spans[0])] == b"m"
    assert 100 <= pieces <= 300


def test_headers_of_many_parameters_cost_what_they_may():
    """A thousand parameters in the header of a request, or of a part, are read in one step."""
    many = b";a=" * 20_000
    assert boundary_of(b"multipart/form-data" + many + b"; boundary=b0" + many) == b"b0"
    steps = []
    sys.setprofile(lambda _frame, event, _called: steps.append(event))
    boundary_of(b"multipart/form-data" + many)
    sys.setprofile(None)
    assert len(steps) < 50
    assert find(form(part(b"Content-Disposition: form-data; name=model" + b";a=" * 2500, b"m"))) == [b"m"]
