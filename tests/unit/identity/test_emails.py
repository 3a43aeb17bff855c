import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.errors import BadRequest
from ingate.identity.emails import MAX_EMAIL, email_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@Example.com", "ann@example.COM"),
        ("straße@a.example", "STRASSE@a.example"),
        ("\uff41nn@a.example", "ann@a.example"),
        ("a\u0308@a.example", "ä@a.example"),
        ("\u017fam@a.example", "sam@a.example"),
    ],
)
def test_spellings_of_one_mailbox_are_equal(one, other):
    """Case, width and composition make no difference."""
    assert email_key(one) == email_key(other)


@pytest.mark.parametrize(("one", "other"), [("ann@a.example", "ann@b.example"), ("a.nn@a.example", "ann@a.example")])
def test_mailboxes_are_apart(one, other):
    """What a provider may treat as one is not one here."""
    assert email_key(one) != email_key(other)


def test_a_key_fits_its_column():
    """An address that grows past the column when it is spelled out is refused, not cut."""
    with pytest.raises(BadRequest) as refused:
        email_key("\ufdfa" * 15 + "@a.example")
    assert list(refused.value.fields) == ["email"]


@given(st.text(max_size=40))
def test_a_key_is_short_or_refused(text):
    """Whatever the text."""
    try:
        assert len(email_key(text)) <= MAX_EMAIL
    except BadRequest:
        assert len(text) > MAX_EMAIL // 20
