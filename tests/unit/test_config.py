import re
import typing

import msgspec
import pytest

from ingate import config
from ingate.config import Settings

SECRETS = {
    "database_url",
    "master_key",
    "gateway_token",
    "openai_api_key",
    "anthropic_api_key",
    "gemini_api_key",
    "ongoingai_keys",
}


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
        sounds = re.search(r"(keys?|token|secret|password|_url|dsn)$", setting.name) is not None
        file = setting.name.endswith("tls_key")
        assert setting.secret is (sounds and not file), setting.name


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
