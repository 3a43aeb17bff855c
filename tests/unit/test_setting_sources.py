"""What is stated of settings, and what is said of statements that make no sense."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate import config
from ingate.config import Settings
from ingate.errors import BadRequest
from ingate.setting_sources import CONFIG_FILE, load, unknown_variables

KEY = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
VALUES = {
    "ongoingai_keys": '[{"id": "a", "token": "a-token-of-mine"}]',
    "port": 1,
    "grpc_port": 1,
    "database_pool": 2,
    "session_hours": 2,
    "database_url": "sqlite:///x.db",
    "master_key": KEY,
    "dialects": "ongoingai, ingate",
    "ongoingai_openai_upstream": "http://a.example",
    "ongoingai_anthropic_upstream": "http://a.example",
    "cors_origins": "https://app.example",
    "trusted_proxies": "10.0.0.0/8",
}
BOOLEAN = "true, yes, on, 1, false, no, off, 0"


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Writes `ingate.toml` into the working directory and returns its path."""
    monkeypatch.chdir(tmp_path)

    def write(text):
        path = tmp_path / CONFIG_FILE
        path.write_text(text)
        return path

    return write


def test_nothing_stated_means_the_defaults(file):
    """No file, no variable, no flag: as the class says."""
    assert load(environ={}) == Settings()


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(file):
    """Each source in turn, for one setting; a flag that is None states nothing."""
    path = file("port = 1")
    environ = {"INGATE_PORT": "2"}
    assert load(environ={}).port == 1
    assert load(environ=environ).port == 2
    assert load({"port": "3"}, environ=environ).port == 3
    assert load({"port": None}, environ=environ, file=path).port == 2
    path.unlink()
    assert load(environ={}).port == Settings().port


def test_each_source_keeps_what_the_others_do_not_state(file):
    """They are merged, setting by setting."""
    file('host = "::1"\nport = 1')
    found = load({"demo": True}, environ={"INGATE_PORT": "2", "OLLAMA_HOST": "x", "HOME": "/", "INGATE_X": "y"})
    assert (found.host, found.port, found.demo, found.ollama_host) == ("::1", 2, True, "x")


def test_what_is_empty_states_nothing(file):
    """In each source; blanks around a value are not part of it."""
    file('host = ""\nport = "1"')
    assert load({"port": ""}, environ={"INGATE_PORT": " ", "INGATE_HOST": ""}) == Settings(port=1)
    assert load({"port": " 2 "}, environ={"INGATE_HOST": "h\r\n"}) == Settings(port=2, host="h")


def test_a_file_elsewhere_stands_in_for_the_one_here(file, tmp_path):
    """Only the one that is named is read."""
    file("port = 1")
    other = tmp_path / "other.toml"
    other.write_text("grpc_port = 2")
    found = load(environ={}, file=other)
    assert (found.port, found.grpc_port) == (Settings().port, 2)


@pytest.mark.parametrize("setting", config.catalogue(), ids=lambda setting: setting.name)
def test_every_setting_is_read_from_each_source(file, setting):
    """By its name in the file, by its variable, and as a flag."""
    value = {bool: True, int: 2_000_000, float: 17.5, str: "x"}[setting.type]
    value = setting.choices[-1] if setting.choices else VALUES.get(setting.name, value)
    pair = {setting.name: value} | ({other(setting.name): "y"} if "tls_" in setting.name else {})
    file("\n".join(f"{name} = {json.dumps(it)}" for name, it in pair.items()))
    assert getattr(load(environ={}), setting.name) == value
    file("")
    assert getattr(load(environ={setting.env: str(value)}, file=None, flags=pair), setting.name) == value
    environ = {f"INGATE_{name.upper()}": str(it) for name, it in pair.items()} | {setting.env: str(value)}
    assert getattr(load(environ=environ), setting.name) == value


def other(name):
    """Returns the setting without which a setting of TLS means nothing."""
    return name.replace("cert", "key") if name.endswith("cert") else name.replace("key", "cert")


@pytest.mark.parametrize(
    ("word", "value"),
    [(word, True) for word in ("true", "yes", "on", "1", "TRUE", "Yes")]
    + [(word, False) for word in ("false", "no", "off", "0", "Off", " no ")],
)
def test_boolean_words(file, word, value):
    """Everywhere alike, and for settings that have more to choose from."""
    file(f'demo = "{word}"\nallow_private_upstreams = "{word}"')
    assert (load(environ={}).demo, load(environ={}).allow_private_upstreams) == (value, "yes" if value else "no")
    file(f"demo = {str(value).lower()}\nallow_private_upstreams = {str(value).lower()}")
    assert (load(environ={}).demo, load(environ={}).allow_private_upstreams) == (value, "yes" if value else "no")
    found = load(environ={"INGATE_DEMO": word, "INGATE_ALLOW_PRIVATE_UPSTREAMS": word})
    assert (found.demo, found.allow_private_upstreams) == (value, "yes" if value else "no")


def test_words_to_choose_from_are_taken_in_any_case():
    """As people write levels."""
    assert load(environ={"INGATE_LOG_LEVEL": "INFO"}).log_level == "info"


WRONG = {
    "INGATE_PORT": {
        "x": '="x" must be a whole number from 0 to 65535',
        "65536": '="65536" must be a whole number from 0 to 65535',
        "-1": '="-1" must be a whole number from 0 to 65535',
        "80.5": '="80.5" must be a whole number from 0 to 65535',
        "tcp://10.0.0.1:80": '="tcp://10.0.0.1:80" must be a whole number from 0 to 65535'
        " (Kubernetes sets it for a Service of that name: set enableServiceLinks to false in the pod)",
    },
    "INGATE_DEMO": {
        "maybe": f'="maybe" must be one of {BOOLEAN}',
        "2": f'="2" must be one of {BOOLEAN}',
        "x\x1b[31m": f'="x\\u001b[31m" must be one of {BOOLEAN}',
        "y" * 200: f'="{"y" * 99}… must be one of {BOOLEAN}',
    },
    "INGATE_DATABASE_POOL": {"0": '="0" must be a whole number from 1 to 500'},
    "INGATE_SESSION_HOURS": {"9" * 30: f'="{"9" * 30}" must be a whole number from 1 to 8760'},
    "INGATE_MAX_BODY_BYTES": {"1": '="1" must be a whole number of at least 1024'},
    "INGATE_DRAIN_SECONDS": {
        "nan": '="nan" must be a number above 0 and up to 86400',
        "inf": '="inf" must be a number above 0 and up to 86400',
        "0": '="0" must be a number above 0 and up to 86400',
        "1_0": '="1_0" must be a number above 0 and up to 86400',
        "\N{FULLWIDTH DIGIT ONE}": '="\N{FULLWIDTH DIGIT ONE}" must be a number above 0 and up to 86400',
    },
    "INGATE_SHUTDOWN_SECONDS": {"-0.1": '="-0.1" must be a number from 0 to 86400'},
    "INGATE_EVENT_LOOP": {"trio": '="trio" must be one of uvloop, asyncio'},
    "INGATE_DIALECTS": {
        "nope": '="nope" must be names of dialects, each once, separated by commas: ingate, ongoingai',
        "ongoingai,Ongoingai": '="ongoingai,Ongoingai" must be names of dialects, each once, separated by commas:'
        " ingate, ongoingai",
        "ingate,": '="ingate," must be names of dialects, each once, separated by commas: ingate, ongoingai',
    },
    "INGATE_ONGOINGAI_OPENAI_UPSTREAM": {"ftp://x": '="ftp://x" must begin with http:// or https://'},
    "INGATE_ONGOINGAI_ANTHROPIC_UPSTREAM": {
        "http://": '="http://" must name a host: a name, or an address in its usual form and without zone'
    },
    "INGATE_LOG_LEVEL": {"LOUD": '="LOUD" must be one of debug, info, warning, error'},
    "INGATE_ALLOW_PRIVATE_UPSTREAMS": {"all": '="all" must be one of auto, yes, no'},
    "INGATE_SHARED_PROVIDERS": {
        wrong: f'="{wrong}" must be first, all, or slugs of organisations separated by commas'
        for wrong in ("A B", "all, acme", "acme,ALL")
    },
    "INGATE_SSRF_ALLOWED_HOSTS": {
        "10.0.0.0/99": "=\"10.0.0.0/99\" must be host names, addresses and networks, not '10.0.0.0/99'"
    },
    "INGATE_CORS_ORIGINS": {
        wrong: f'="{wrong}" must be * or origins without a path such as https://app.example, not {wrong!r}'
        for wrong in (
            "app.example",
            "https://*.example",
            "https://app.example/",
            "https://app.example:65536",
            "https://app.example:x",
            "https://[::1",
            "https://[::1::]",
            "https://bücher.example",
        )
    },
    "INGATE_TRUSTED_PROXIES": {"x": "=\"x\" must be addresses and networks such as 10.0.0.0/8, not 'x'"},
    "OLLAMA_HOST": {
        "ftp://h": '="ftp://h" must be a host, with a port or not, or a URL that begins with http:// or https://',
        "http://u:canary@h": '="http://***@h" must be a host, with a port or not, or a URL that begins with http:// or'
        " https://",
    },
    **{
        name: dict.fromkeys(("canary\nX-A: b", "canarÿ"), " must be printable ASCII, at most 8192 characters")
        for name in ("INGATE_GATEWAY_TOKEN", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY")
    },
    "INGATE_MASTER_KEY": {"canary": " must be 32 bytes in base64"},
    "INGATE_DATABASE_URL": {
        "mysql://u:canary@h/d": " must begin with postgresql:// or sqlite://",
        "sqlite:///canary.db?mode=ro": " must have nothing behind the name of the file: SQLite has no parameters here",
        "postgresql://u:canary@h:port/d": " must have a port from 1 to 65535 behind its host, and : / ? # @ of its"
        " password percent-encoded",
    },
    "INGATE_TLS_CERT": {"/cert.pem": "tls_key must be stated beside tls_cert (INGATE_TLS_CERT)"},
    "INGATE_GRPC_TLS_KEY": {"/key.pem": "grpc_tls_cert must be stated beside grpc_tls_key (INGATE_GRPC_TLS_KEY)"},
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [(name, value, message) for name, cases in WRONG.items() for value, message in cases.items()],
)
def test_a_wrong_value_is_named_with_what_would_do(file, name, value, message):
    """By its variable and its option; secrets are not shown."""
    setting = next(setting for setting in config.catalogue() if setting.env == name)
    for environ, flags, place in (({name: value}, {}, name), ({}, {setting.name: value}, setting.flag)):
        with pytest.raises(BadRequest) as refused:
            load(flags, environ=environ)
        said = message.replace(name, place) if message[0] in "gt" else place + message
        if not environ:
            said = said.partition(" (Kubernetes")[0]
        assert refused.value.message == said
        assert list(refused.value.fields) == [other(setting.name) if "tls_" in setting.name else setting.name]
        assert "canary" not in refused.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prot = 1", 'ingate.toml line 1: "prot" is no setting; do you mean port?'),
        ("# a\n\nPort = 1", 'ingate.toml line 3: "Port" is no setting; do you mean port?'),
        ("zebra = 1", 'ingate.toml line 1: "zebra" is no setting'),
        ('port = 1\n[server]\nhost = "x"', 'ingate.toml line 2: "server" is no setting'),
        ("\nport = true", "ingate.toml line 2: port = true must be a whole number from 0 to 65535"),
        ("port = 1.5", "ingate.toml line 1: port = 1.5 must be a whole number from 0 to 65535"),
        ("host = 1", "ingate.toml line 1: host = 1 must be text"),
        ("host = 1979-05-27", 'ingate.toml line 1: host = "1979-05-27" must be text'),
        ("demo = 1.0", f"ingate.toml line 1: demo = 1.0 must be one of {BOOLEAN}"),
        ('port = 1\nopenai_api_key = ["sk-canary"]', "ingate.toml line 2: openai_api_key must be text"),
        ('gateway_token = { value = "canary" }', "ingate.toml line 1: gateway_token must be text"),
        ("[gateway_token]\nvalue = 'canary'", "ingate.toml line 1: gateway_token must be text"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(file, text, message):
    """By its line, with the value unless it is a secret, and what would do."""
    file(text)
    with pytest.raises(BadRequest) as refused:
        load(environ={})
    assert refused.value.message == message


@pytest.mark.parametrize("text", ["port = ", "port = 1\nport = 2", "\x00"])
def test_what_is_no_toml_is_told_with_its_place(file, text):
    """As Python's parser says it."""
    file(text)
    with pytest.raises(
        BadRequest, match=r"^cannot read ingate\.toml: .*\(at (line \d+, column \d+|end of document)\)$"
    ):
        load(environ={})


def test_a_file_that_cannot_be_read_is_refused(file, tmp_path):
    """One that was named must be there, be a file, and be text."""
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"\xff\xfe")
    for path, why in (
        (tmp_path / "missing.toml", "No such file or directory"),
        (tmp_path, "Is a directory"),
        (bad, ""),
    ):
        with pytest.raises(BadRequest) as refused:
            load(environ={}, file=path)
        assert refused.value.message.startswith(f"cannot read {path}: {why}")


@given(st.dictionaries(st.sampled_from([s.env for s in config.catalogue()]), st.text(max_size=20), max_size=5))
def test_any_environment_is_settings_or_a_named_refusal(environ):
    """No other error, whatever the variables hold."""
    try:
        outcome = load(environ=environ)
    except BadRequest as refused:
        outcome = refused.message
    assert isinstance(outcome, Settings) or any(setting.env in outcome for setting in config.catalogue())


def test_variables_that_are_no_setting_are_named():
    """With the nearest that is one; what Kubernetes makes of a Service is none of ours."""
    environ = {"INGATE_SINGUP": "closed", "INGATE_KEY_OF_MINE": "x", "INGATE_PORT": "1", "PATH": "/"}
    kubernetes = ("SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_8080_TCP", "PORT_8080_TCP_ADDR")
    environ |= {f"INGATE_{name}": "x" for name in kubernetes}
    assert unknown_variables(environ) == [
        "INGATE_KEY_OF_MINE is no setting",
        "INGATE_SINGUP is no setting; do you mean INGATE_SIGNUP?",
    ]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ongoingai_auth_header", "Authorization", "no other meaning"),
        ("ongoingai_auth_header", "x-request-id", "no other meaning"),
        ("ongoingai_auth_header", "Content-Anything", "no other meaning"),
        ("ongoingai_auth_header", "two words", "no other meaning"),
        ("ongoingai_auth_header", "User-Agent", "no other meaning"),
        ("ongoingai_auth_header", "Set-Cookie", "no other meaning"),
        ("ongoingai_auth_header", "X-Ingate-User-Id", "no other meaning"),
        ("ongoingai_auth_header", "anthropic-version", "no other meaning"),
        ("ongoingai_auth_header", "Last-Event-ID", "no other meaning"),
        ("ongoingai_keys", "{}", "a JSON list of objects"),
        ("ongoingai_keys", "[" * 5000, "a JSON list of objects"),
        ("ongoingai_keys", '[{"id":"a","token":"short"}]', "key 1 must have a token"),
        ("ongoingai_keys", '[{"id":"a","token":"inv-ingate-12345678"}]', "key 1 must have a token"),
        ("ongoingai_keys", '[{"token":"a-token-of-mine"}]', "key 1 must have an id"),
        ("ongoingai_keys", '[{"id":"a","token":"a-token-of-mine","x":1}]', "key 1 must have texts"),
        ("ongoingai_keys", '[{"id":"a","token":"a-token-of-mine","permissions":"x"}]', "key 1 must have texts"),
        ("ongoingai_keys", '[{"id":"a","token":"a-token-of-mine"},{"id":"a","token":"another-token"}]', "the same id"),
        ("ongoingai_keys", '[{"id":"a","token":"a-token-of-mine"},{"id":"b","token":"a-token-of-mine"}]', "same token"),
    ],
)
def test_settings_of_keys_say_what_is_wrong_and_show_none(name, value, said):
    """At the start, by the variable's name; a token is never quoted."""
    with pytest.raises(BadRequest, match=said) as caught:
        load(environ={f"INGATE_{name.upper()}": value})
    assert caught.value.message.startswith(f"INGATE_{name.upper()}")
    assert "of-mine" not in caught.value.message
