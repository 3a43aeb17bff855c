import asyncio
import io
import json
import logging

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from ingate import ids, logs


@pytest.fixture
def written():
    """Logs into memory; returns a function that gives the lines so far as objects. Restores logging after."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    file = io.BytesIO()
    logs.configure("debug", file=file)
    yield lambda: [json.loads(line) for line in file.getvalue().splitlines()]
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


SECRETS = [
    "sk-ingate-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_-abcde",
    "ses-ingate-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_-abcde",
    "inv-ingate-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789_-abcde",
    "ing_AbCdEfGhIjKlMnOpQrStUvWxYz",
    "sk-ant-api03-abcdefghijklmnop",
    "sk-proj-abcdefghijklmnop",
    "pg_live_abcdefghijkl",
    "ogk_abcdefghijkl",
    "AIzaSyAbcdefghijklmnopqrstuvwxyz",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_what_looks_like_a_secret_is_masked_wherever_it_stands(written, secret):
    """In the event, in values, in nested values, in names and in tracebacks."""
    log = structlog.get_logger()
    log.info(secret, plain=secret, joined=f"key_{secret}", nested={"a": [secret]}, **{secret: 1})
    log.error("failed", exc_info=ValueError(f"bad key {secret}!"))
    logging.getLogger("library").warning("header Authorization: Bearer %s", secret)
    text = json.dumps(written())
    assert len(written()) == 3
    assert secret not in text
    assert secret[8:] not in text
    assert "bad key" in text


@pytest.mark.parametrize("text", ["Bearer abc.def-ghi", "bearer\tabc.def-ghi", 'x "Bearer abc.def-ghi"'])
def test_bearer_tokens_of_any_kind_are_masked(written, text):
    """The scheme gives a token away whatever it looks like."""
    structlog.get_logger().info("e", value=text)
    assert "abc" not in json.dumps(written())


def test_values_under_secret_names_are_masked(written):
    """A password looks like nothing; its name tells."""
    structlog.get_logger().info("e", password="hunter2", Authorization="x", token=b"y", harmless="z")
    (line,) = written()
    assert (line["password"], line["Authorization"], line["token"], line["harmless"]) == ("***", "***", "***", "z")


def test_a_line_says_when_and_how_severe(written):
    """Every line has time, level and event."""
    structlog.get_logger().warning("happened", n=1)
    (line,) = written()
    assert (line["level"], line["event"], line["n"]) == ("warning", "happened", 1)
    assert line["timestamp"].endswith("Z")


def test_the_first_characters_of_a_key_may_be_shown():
    """As refusals do; more of them are a secret."""
    assert logs.mask("sk-ingate-ab12 x") == "sk-ingate-ab12 x"
    assert logs.mask("sk-ingate-ab12cd") == "sk-ingate-***"


def test_ordinary_text_stays():
    """Words that only resemble secrets are left alone."""
    for text in (
        "pricing_table_of_models",
        "ingate_version",
        "ask-me-anything",
        "risk-assessment",
        "bearer of news:",
        "sk-short",
        "task-abcdefgh",
    ):
        assert logs.mask(text) == text or text.startswith("bearer")


@pytest.mark.parametrize(
    "value", ["\ud800", 2**80, b"\xff", object, {1, 2}, float("nan"), {("a",): 1}, "a\nb\x00", None]
)
def test_no_value_breaks_a_line(written, value):
    """Whatever is logged, there is one line of JSON and no exception."""
    structlog.get_logger().info("odd", value=value)
    (line,) = written()
    assert line["event"] == "odd"


@pytest.mark.usefixtures("written")
def test_a_level_silences_what_is_below_it():
    """At warning, info is not written."""
    file = io.BytesIO()
    logs.configure("warning", file=file)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    logging.getLogger("library").info("quiet too")
    assert [json.loads(line)["event"] for line in file.getvalue().splitlines()] == ["loud"]


@pytest.mark.usefixtures("written")
def test_a_reader_that_is_gone_stops_nobody():
    """Writing to a closed pipe or file loses the line and raises nothing."""
    file = io.BytesIO()
    logs.configure("info", file=file)
    file.close()
    structlog.get_logger().info("into the void")


@pytest.mark.parametrize("prefix", ids.SECRET_PREFIXES)
def test_every_credential_of_the_gateway_is_masked(written, prefix):
    """What is made or accepted here, whatever its prefix; the ones made here inside a word too."""
    structlog.get_logger().info(
        "e", value=f"{prefix}{'Z' * 43}", **{"joined": f"x{prefix}{'Z' * 43}"} if prefix in ids.MADE_PREFIXES else {}
    )
    assert "ZZ" not in json.dumps(written())


@given(st.text())
def test_masking_never_fails_and_never_shows_a_key(text):
    """Any text around a key is fine."""
    secret = "sk-ingate-" + "Z" * 43
    assert secret not in logs.mask(f"{text} {secret} {text}")


def test_a_traceback_shows_no_variable(written):
    """Whatever the frames hold."""
    credential = "hunter2-in-a-variable"
    try:
        int(f"x{len(credential)}")
    except ValueError:
        structlog.get_logger().exception("failed")
    [line] = written()
    assert 'int(f"x{len(credential)}")' in line["exception"]
    assert credential not in line["exception"]


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(
    ("form", "terminal", "text"),
    [("auto", True, True), ("auto", False, False)]
    + [(form, terminal, form == "text") for form in ("json", "text") for terminal in (True, False)],
)
def test_the_form_of_lines(form, terminal, text):
    """Text on a terminal and JSON elsewhere, unless one is asked for; a secret is masked in both."""
    file = io.BytesIO()
    file.isatty = lambda: terminal
    logs.configure("info", form, file=file)
    structlog.get_logger().info("it_happened", value=SECRETS[0])
    line = file.getvalue().decode()
    assert line.startswith("{") is not text
    assert ("it happened" in line) is text
    assert SECRETS[0] not in line


@pytest.mark.parametrize(("error", "lines"), [(asyncio.CancelledError(), 0), (OSError(), 1)])
def test_a_library_that_was_cancelled_is_not_heard(written, error, lines):
    """Whatever else it failed with is."""
    logging.getLogger("library").error("failed", exc_info=error)
    assert len(written()) == lines
