"""Keys of every format: how they look, and that everything that watches for keys knows each of them."""

import pytest

from gen.ingate.keys.v1.key_pb2 import KEY_ENV_LIVE, KEY_ENV_TEST, KeyFormat
from ingate import ids, key_formats
from ingate.errors import BadRequest
from ingate.proxy import refusals, request_target
from ingate.proxy.headers import carries_gateway_secret, may_be_secret
from ingate.vendor_keys import advice
from rest_facade.credentials import is_key

FORMATS = [number for number in KeyFormat.values() if number]
SECRETS = {
    (format, env): key_formats.new_secret(format, env) for format in FORMATS for env in (KEY_ENV_LIVE, KEY_ENV_TEST)
}


def test_each_format_looks_as_its_dialect_says():
    """Prefix and length; the environment shows where the dialect has two prefixes."""
    lengths = {"sk-ingate-": 43, "pg_live_": 43, "pg_test_": 43, "ogk_": 32, "fg_live_": 64}
    found = {}
    for secret in SECRETS.values():
        [prefix] = [prefix for prefix in lengths if secret.startswith(prefix)]
        found[prefix] = len(secret) - len(prefix)
    assert found == lengths
    assert all(key_formats.of_secret(secret) == format for (format, _), secret in SECRETS.items())
    assert key_formats.of_secret("of-my-own-choice") == KeyFormat.Value("KEY_FORMAT_INGATE")


@pytest.mark.parametrize(
    "secret",
    [*SECRETS.values(), "ing_" + "x" * 40, ids.new_session_token()],
    ids=[*map(str, SECRETS), "older", "session"],
)
def test_whatever_watches_for_keys_knows_it(secret):
    """It crosses to no provider, is masked in records, refused in paths and queries, and no vendor's."""
    assert carries_gateway_secret(b"a " + secret.encode())
    assert may_be_secret(b"x-custom", secret.encode())
    assert advice((secret,)) is None
    assert any(hint in secret for hint in ids.SECRET_HINTS)
    assert ids.may_hold_secret(secret)
    encoded = secret.replace("_", "%5F").replace("-", "%2D")
    for path, query in ((f"/v1/{secret}", ""), (f"/v1/{encoded}", ""), ("/v1", f"a={secret}"), ("/v1", f"a={encoded}")):
        with pytest.raises(BadRequest, match=r"keys are not accepted in the .*: send yours in a header$"):
            request_target.check("GET", path, query)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=map(str, SECRETS))
def test_a_preview_shows_four_characters_and_hides_the_rest(secret):
    """In descriptions and in the log of refusals, and the latter is not masked for it."""
    shown = key_formats.preview(secret)
    assert shown == secret[: len(shown) - 1] + "…"
    assert len(secret) - len(shown) >= 27
    assert is_key(secret)
    assert refusals.shown(secret) == shown[:-1]


@pytest.mark.parametrize(("secret", "shown"), [("x" * 19, None), ("x" * 20, "xxxx…"), ("ogk_" + "x" * 15, None)])
def test_a_short_secret_is_not_shown_at_all(secret, shown):
    """Sixteen characters stay hidden, or there is no preview."""
    assert key_formats.preview(secret) == shown


@pytest.mark.parametrize("text", ["log_level", "training_data_path", "org_id=abcdef123", "x_pg_live_", "ogk_abc"])
def test_what_is_no_key_crosses(text):
    """Words that have a part of a prefix in them, and beginnings that are too short."""
    assert not carries_gateway_secret(text.encode())
    request_target.check("GET", f"/v1/{text}", f"a={text}")
