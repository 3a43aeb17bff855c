import base64
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.errors import BadRequest
from ingate.vault import Vault, decode_master_key, find_master_key, make_master_key

KEY = bytes(range(32))
CONTEXT = "provider|org|name"
# Lone surrogates are no text that a message can carry.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(texts, texts)
def test_what_is_sealed_opens(secret, context):
    """Any text in any place; sealing twice gives two forms, neither of which shows it."""
    vault = Vault(KEY)
    sealed = vault.seal(secret, context)
    assert vault.open(sealed, context) == secret
    assert sealed != vault.seal(secret, context)
    assert len(secret) < 6 or secret.encode() not in sealed


def test_another_key_or_place_does_not_open_it():
    """The refusal says what to look for and nothing else."""
    sealed = Vault(KEY).seal("sk-canary", CONTEXT)
    for vault, context in ((Vault(KEY[::-1]), CONTEXT), (Vault(KEY), "provider|org|other"), (Vault(KEY), "")):
        with pytest.raises(BadRequest, match="master key") as refused:
            vault.open(sealed, context)
        assert "canary" not in refused.value.message


def test_a_changed_or_cut_secret_does_not_open():
    """Each byte is authenticated, from the nonce on."""
    sealed = Vault(KEY).seal("sk-canary", CONTEXT)
    broken = [sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :] for place in range(1, len(sealed))]
    for text in (*broken, b"", b"\x01", *(sealed[:length] for length in range(len(sealed))), sealed + b"x"):
        with pytest.raises(BadRequest):
            Vault(KEY).open(text, CONTEXT)


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_master_key_is_32_bytes_in_either_base64(encode):
    """Both alphabets are understood."""
    key = b"\xfb\xff\xfe" + bytes(29)
    assert decode_master_key(encode(key).decode()) == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "A" * 43,
        "A" * 44 + "=",
        base64.b64encode(KEY[:31]).decode(),
        base64.b64encode(KEY * 2).decode(),
        base64.b64encode(KEY).decode() + "\n",
        "🔑" * 11,
        KEY.hex(),
    ],
)
def test_a_master_key_that_is_none_is_refused(text):
    """The refusal names the setting and does not repeat it."""
    with pytest.raises(BadRequest) as refused:
        decode_master_key(text)
    assert list(refused.value.fields) == ["master_key"]
    assert not text.strip() or text.strip() not in refused.value.message or len(text) < 3


def test_the_first_start_makes_a_key_and_later_ones_read_it(tmp_path):
    """Only its user may read the file; a key in the settings goes before it."""
    assert find_master_key("", tmp_path) is None
    key, made = make_master_key(tmp_path)
    assert (len(key), made) == (32, True)
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    assert make_master_key(tmp_path) == (key, False)
    assert find_master_key("", tmp_path) == key
    assert find_master_key(base64.b64encode(KEY).decode(), tmp_path) == KEY


def test_a_key_in_the_settings_makes_no_file(tmp_path):
    """What came from elsewhere is not written down."""
    find_master_key(base64.b64encode(KEY).decode(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_holds_no_key_is_not_replaced(tmp_path):
    """Its secrets would be lost; the file stays as it is."""
    path = tmp_path / "master.key"
    path.write_text("not a key\n")
    for read in (lambda: find_master_key("", tmp_path), lambda: make_master_key(tmp_path)):
        with pytest.raises(BadRequest):
            read()
    assert path.read_text() == "not a key\n"


def test_of_those_who_start_at_once_one_makes_the_key(tmp_path):
    """All have the same one."""
    barrier, found = threading.Barrier(8), []

    def start():
        barrier.wait()
        found.append(make_master_key(tmp_path))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({key for key, _ in found}) == 1
    assert sum(made for _, made in found) == 1
    assert len(found) == 8
