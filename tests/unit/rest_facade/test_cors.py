"""Origins as they are listed and as browsers send them."""

import pytest

from rest_facade.cors import from_setting


@pytest.mark.parametrize(
    ("listed", "sent"),
    [
        ("https://App.Example", "https://app.example"),
        ("HTTPS://app.example:443", "https://app.example"),
        ("http://app.example:80", "http://app.example"),
        ("http://app.example:443", "http://app.example:443"),
        ("https://app.example:08443", "https://app.example:8443"),
        ("http://[0:0:0:0:0:0:0:1]:3000", "http://[::1]:3000"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("null", "null"),
    ],
)
def test_an_origin_is_listed_however_it_is_written(listed, sent):
    """Browsers send it in lower case, without the port that its scheme has anyway."""
    assert from_setting(listed).origins == {sent}


def test_all_origins_are_listed_by_an_asterisk():
    """Whatever stands beside it; without an entry there is no policy."""
    assert from_setting("https://app.example, *").origins == frozenset()
    assert from_setting(" , ") is None
