import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.errors import BadRequest
from ingate.net.addresses import EVERYWHERE, AddressPolicy
from ingate.net.special_addresses import Kind
from ingate.proxy import base_urls
from ingate.proxy.upstream.request import authority

ONLY_PUBLIC = AddressPolicy(Kind.PUBLIC)

PUBLIC = [
    ("https://api.openai.com", ("https", "api.openai.com", 443), ""),
    ("https://API.OpenAI.com:8443/", ("https", "api.openai.com", 8443), ""),
    ("http://8.8.8.8/v1/", ("http", "8.8.8.8", 80), "/v1"),
    ("https://[2606:4700::1111]:8443/a/b", ("https", "2606:4700::1111", 8443), "/a/b"),
    ("https://res_name.openai.azure.com/openai", ("https", "res_name.openai.azure.com", 443), "/openai"),
    ("HTTPS://example.com./x%2e", ("https", "example.com.", 443), "/x%2e"),
]
PRIVATE = [
    "http://localhost",
    "http://LOCALHOST:8080",
    "http://localhost.",
    "http://db.localhost",
    "http://printer.local",
    "http://metadata.google.internal",
    "http://127.0.0.1",
    "http://0.0.0.0",
    "http://10.0.0.1",
    "http://172.16.0.1",
    "http://192.168.1.1",
    "http://100.64.0.1",
    "http://169.254.169.254/latest/meta-data",
    "http://192.0.2.1",
    "http://198.18.0.1",
    "http://224.0.0.1",
    "http://240.0.0.1",
    "http://255.255.255.255",
    "http://[::]",
    "http://[::1]",
    "http://[0:0:0:0:0:0:0:1]",
    "http://[::ffff:127.0.0.1]",
    "http://[::ffff:10.0.0.1]",
    "http://[::7f00:1]",
    "http://[64:ff9b::7f00:1]",
    "http://[64:ff9b::a9fe:a9fe]",
    "http://[2002:7f00:1::]",
    "http://[fe80::1]",
    "http://[fc00::1]",
    "http://[ff02::1]",
]
NO_ADDRESS = [
    "",
    " ",
    "example.com",
    "//example.com",
    "ftp://example.com",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_x",
    "javascript:alert(1)",
    "http://",
    "http://:80",
    "http:///path",
    "http://exa mple.com",
    "http://example.com\r\nHost: x",
    "http://exam\tple.com",
    "http://example.com/\0",
    "http://example.com/\x7f",
    "http://example.com/é",
    "http://exämple.com",
    "http://①②⑦.⓪.⓪.①",
    "http://user@example.com",
    "http://user:secret@example.com",
    "http://good.com\\@127.0.0.1",
    "http://127.0.0.1\\.good.com",
    "http://exa%6dple.com",
    "http://a,b",
    "http://example.com:0",
    "http://example.com:65536",
    "http://example.com:-1",
    "http://example.com:x",
    "http://example.com?a=b",
    "http://example.com/?",
    "http://example.com/#",
    "http://example.com#x",
    "http://127.1",
    "http://2130706433",
    "http://0x7f000001",
    "http://0x7f.1",
    "http://0177.0.0.1",
    "http://0",
    "http://127.0.0.1.",
    "http://1.2.3.08",
    "http://[fe80::1%25eth0]",
    "http://[fe80::1%eth0]",
    "http://.example.com",
    "http://a..b",
    "http://-a.example",
    "http://" + "a" * 64 + ".example",
    "http://" + "a.b" * 100,
    "http://[127.0.0.1]",
    "http://example.com/%2e%2E/admin",
    "http://example.com/a%2f..",
    "http://example.com/a\\b",
    "http://example.com/%zz",
    "http://example.com/100%",
    "http://example.com/../admin",
    "http://example.com/a/./b",
    "http://[::1",
    "http://::1",
    "http://[example.com]",
    "http://[v1.fe80::a]",
]


@pytest.mark.parametrize(("url", "origin", "prefix"), PUBLIC)
def test_a_public_address_is_taken_apart(url, origin, prefix):
    """Scheme, host in lower case, port and a prefix without a trailing slash."""
    found, path = base_urls.parse(url, ONLY_PUBLIC)
    assert ((found.scheme, found.host, found.port), path) == (origin, prefix)


@pytest.mark.parametrize("url", PRIVATE)
def test_an_address_inside_is_refused_unless_allowed(url):
    """In every spelling that is one; the policy goes with the origin, to be asked again when it is connected to."""
    with pytest.raises(BadRequest) as refused:
        base_urls.parse(url, ONLY_PUBLIC)
    assert list(refused.value.fields) == ["base_url"]
    origin, _ = base_urls.parse(url, EVERYWHERE)
    assert origin.host
    assert origin.policy is EVERYWHERE


@pytest.mark.parametrize("url", NO_ADDRESS)
def test_what_is_no_address_is_refused_even_where_all_are_allowed(url):
    """The refusal names the field and repeats no credential."""
    with pytest.raises(BadRequest) as refused:
        base_urls.parse(url, EVERYWHERE)
    assert list(refused.value.fields) == ["base_url"]
    assert "secret" not in refused.value.message


@given(st.text(max_size=60) | st.from_regex(r"https?://[\w.:@\[\]/?#%\\-]{0,40}", fullmatch=True))
def test_any_text_is_judged_without_another_error(url):
    """Either an origin that a request line can carry, or BadRequest."""
    try:
        origin, prefix = base_urls.parse(url, EVERYWHERE)
    except BadRequest:
        return
    assert authority(origin)
    assert origin.host.isascii()
    assert 0 < origin.port < 65536
    assert prefix.isascii()
    assert not prefix.endswith("/")
    assert not any(character in origin.host + prefix for character in " \r\n\t@?#\0")
