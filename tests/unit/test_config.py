import json
import re
import typing

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate import config
from ingate.config import Settings
from ingate.errors import BadRequest

SECRETS = {
    "database_url",
    "master_key",
    "gateway_token",
    "openai_api_key",
    "anthropic_api_key",
    "gemini_api_key",
}


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Writes `ingate.toml` into the working directory and returns its path."""
    monkeypatch.chdir(tmp_path)

    def write(text):
        path = tmp_path / config.CONFIG_FILE
        path.write_text(text)
        return path

    return write


def test_nothing_stated_means_the_defaults(file):
    """No file, no variable, no flag: as the class says."""
    assert config.load(environ={}) == Settings()


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(file):
    """Each source in turn, for one setting; a flag that is None states nothing."""
    path = file("port = 1")
    environ = {"INGATE_PORT": "2"}
    assert config.load(environ={}).port == 1
    assert config.load(environ=environ).port == 2
    assert config.load({"port": 3}, environ=environ).port == 3
    assert config.load({"port": None}, environ=environ, file=path).port == 2
    path.unlink()
    assert config.load(environ={}).port == Settings().port


def test_each_source_keeps_what_the_others_do_not_state(file):
    """They are merged, setting by setting."""
    file('host = "::1"\nport = 1')
    found = config.load({"demo": True}, environ={"INGATE_PORT": "2", "OLLAMA_HOST": "x", "HOME": "/", "INGATE_X": "y"})
    assert (found.host, found.port, found.demo, found.ollama_host) == ("::1", 2, True, "x")


def test_a_file_elsewhere_stands_in_for_the_one_here(file, tmp_path):
    """Only the one that is named is read."""
    file("port = 1")
    other = tmp_path / "other.toml"
    other.write_text("grpc_port = 2")
    found = config.load(environ={}, file=other)
    assert (found.port, found.grpc_port) == (Settings().port, 2)


@pytest.mark.parametrize("setting", config.catalogue(), ids=lambda setting: setting.name)
def test_every_setting_is_read_from_each_source(file, setting):
    """By its name in the file, by its variable, and as a flag."""
    value = {bool: True, int: 2_000_000, float: 17.5, str: "x"}[setting.type]
    value = {"port": 1, "grpc_port": 1, "database_pool": 2, "session_hours": 2}.get(setting.name, value)
    value = setting.choices[-1] if setting.choices else value
    file(f"{setting.name} = {str(value).lower() if setting.type is bool else json.dumps(value)}")
    assert getattr(config.load(environ={}), setting.name) == value
    file("")
    assert getattr(config.load(environ={setting.env: str(value)}), setting.name) == value
    assert getattr(config.load({setting.name: value}, environ={}), setting.name) == value


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"INGATE_PORT": ""}, "port"),
        ({"INGATE_PORT": "x"}, "port"),
        ({"INGATE_PORT": "65536"}, "port"),
        ({"INGATE_PORT": "-1"}, "port"),
        ({"INGATE_PORT": "80.5"}, "port"),
        ({"INGATE_DEMO": "yes"}, "demo"),
        ({"INGATE_DATABASE_POOL": "0"}, "database_pool"),
        ({"INGATE_SESSION_HOURS": "9" * 30}, "session_hours"),
        ({"INGATE_MAX_BODY_BYTES": "1"}, "max_body_bytes"),
        ({"INGATE_RATE_LIMIT_FREE": "99999999999"}, "rate_limit_free"),
        ({"INGATE_DRAIN_SECONDS": "nan"}, "drain_seconds"),
        ({"INGATE_DRAIN_SECONDS": "inf"}, "drain_seconds"),
        ({"INGATE_SHUTDOWN_SECONDS": "inf"}, "shutdown_seconds"),
        ({"INGATE_CONNECT_TIMEOUT": "0"}, "connect_timeout"),
        ({"INGATE_EVENT_LOOP": "trio"}, "event_loop"),
        ({"INGATE_LOG_LEVEL": "LOUD"}, "log_level"),
        ({"INGATE_ALLOW_PRIVATE_UPSTREAMS": "true"}, "allow_private_upstreams"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(file, environ, name):
    """The start fails with a sentence that says which setting."""
    with pytest.raises(BadRequest, match=rf"\b{name}\b"):
        config.load(environ=environ)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("prot = 1", "prot"),
        ("Port = 1", "Port"),
        ('[server]\nhost = "x"', "server"),
        ('port = "http"', "port"),
        ("port = true", "port"),
        ("host = 1", "host"),
        ('openai_api_key = ["sk-canary"]', "openai_api_key"),
        ('gateway_token = { value = "sk-canary" }', "gateway_token"),
        ("port = ", config.CONFIG_FILE),
        ("port = 1\nport = 2", config.CONFIG_FILE),
        ("\x00", config.CONFIG_FILE),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(file, text, word):
    """Unknown keys, wrong types and text that is no TOML are named; secrets are not repeated."""
    file(text)
    with pytest.raises(BadRequest) as refused:
        config.load(environ={})
    assert word in refused.value.message
    assert "canary" not in refused.value.message


def test_a_file_that_cannot_be_read_is_refused(file, tmp_path):
    """One that was named must be there, be a file, and be text."""
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"\xff\xfe")
    for path in (tmp_path / "missing.toml", tmp_path, bad):
        with pytest.raises(BadRequest, match=re.escape(str(path))):
            config.load(environ={}, file=path)


@given(st.dictionaries(st.sampled_from([s.env for s in config.catalogue()]), st.text(max_size=20), max_size=5))
def test_any_environment_is_settings_or_a_named_refusal(environ):
    """No other error, whatever the variables hold."""
    try:
        outcome = config.load(environ=environ)
    except BadRequest as refused:
        outcome = refused.message
    assert isinstance(outcome, Settings) or any(setting.name in outcome for setting in config.catalogue())


def test_no_secret_is_shown():
    """Each secret that is set is a mask, each that is not is empty, and everything else is as it is."""
    secret = {setting.name: f"canary-{setting.name}" for setting in config.catalogue() if setting.secret}
    assert secret.keys() == SECRETS
    shown = config.masked(Settings(**secret))
    assert "canary" not in repr(shown)
    assert {shown[name] for name in secret} == {config.MASK}
    plain = config.masked(Settings())
    assert plain == msgspec.structs.asdict(Settings())


def test_names_that_sound_secret_are_secret():
    """Whoever adds a key, token, password or address with one must say so."""
    for setting in config.catalogue():
        sounds = re.search(r"(key|token|secret|password|_url|dsn)$", setting.name) is not None
        assert setting.secret is sounds, setting.name


def test_the_catalogue_is_complete():
    """Every field, in order, with a sentence, a default that fits, a variable of its own and a plain type."""
    listed = config.catalogue()
    assert [setting.name for setting in listed] == [field.name for field in msgspec.structs.fields(Settings)]
    assert len({setting.env for setting in listed}) == len(listed)
    for setting in listed:
        assert setting.description.endswith(".")
        assert setting.type in {str, int, float, bool}
        assert isinstance(setting.default, setting.type)
        assert not setting.choices or setting.default in setting.choices
        assert setting.env.startswith("INGATE_") or setting.env in {
            "OPENAI_API_KEY",
            "ANTHROPIC_API_KEY",
            "GEMINI_API_KEY",
            "OLLAMA_HOST",
        }
    assert typing.get_type_hints(Settings).keys() == {setting.name for setting in listed}


def test_settings_do_not_change():
    """They are read once."""
    with pytest.raises(AttributeError):
        Settings().port = 1
