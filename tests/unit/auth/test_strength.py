import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingate.auth import strength
from ingate.auth.strength import weakness

NAMES = ("alice.smith", "acme-corp", "Acme Corporation", "hr", "")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "correct horse",
        "x8#Lq0!vTz",
        "brand new 🔑",
        "Grüße aus Köln",
        "тройка семёрка туз",
        "Chrome and 4 hats",
        "x" + "".join(chr(33 + n * 7 % 90) for n in range(1000)),
    ],
)
def test_good_passwords_are_taken(password):
    """Long ones, and short ones that are hard to guess, in any script; short names in them do not matter."""
    assert weakness(password, NAMES) is None


@pytest.mark.parametrize(
    "password",
    [
        "password",
        "12345678",
        "aaaaaaaa",
        "passwordpassword",
        "123456789012",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "qwertyuiop12",
        "abcabcabcabcabc",
        "P@ssw0rd1234",
        "drowssapdrowssap",
        "x" * 1024,
    ],
)
def test_common_and_regular_ones_are_refused_whatever_their_length(password):
    """And the reason says so."""
    assert "too common" in weakness(password, NAMES)


@pytest.mark.parametrize("password", ["horse42x", "tulip 77", "monkeys99!"])
def test_short_ones_must_be_hard_to_guess(password):
    """The reason names the length that would do."""
    assert "12 characters" in weakness(password, NAMES) or "too common" in weakness(password, NAMES)


@pytest.mark.parametrize(
    "password",
    [
        "Alice.Smith-2031-vzq",
        "zq7 alicesmith zq7",
        "vzq-ACME-CORP-7713",
        "acmecorporation vzq 7713",
        "\uff21\uff23\uff2d\uff25 \uff43\uff4f\uff52\uff50 vzq 7713",
    ],
)
def test_ones_that_contain_a_name_are_refused(password):
    """In any spelling of it."""
    assert "must not contain" in weakness(password, NAMES)


def test_names_count_as_words_to_guess_from():
    """A short name is not searched for, but makes a password that is made of it easy."""
    assert weakness("hrhrhrhrhrhr", NAMES) is not None


@pytest.mark.parametrize("length", [24, 100, 1024])
def test_the_work_is_bounded(monkeypatch, length):
    """However long a password is and whatever it is made of, so many readings of so many characters are tried."""
    import zxcvbn
    from zxcvbn import matching

    seen = []
    real = matching.enumerate_l33t_subs
    monkeypatch.setattr(matching, "enumerate_l33t_subs", lambda table: seen.append(real(table)) or seen[-1])
    asked = []
    whole = zxcvbn.zxcvbn
    monkeypatch.setattr(zxcvbn, "zxcvbn", lambda text, **rest: asked.append(text) or whole(text, **rest))
    weakness(("4@8({[<369&!|170$5+%2" * 50)[:length], NAMES)
    assert max(len(readings) for readings in seen) <= 100
    assert max(map(len, asked)) == strength.JUDGED


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=1024), st.text(max_size=254))
def test_every_text_has_an_answer(password, name):
    """No password and no name is an error, and a reason fits behind a field's name."""
    problem = weakness(password, (name,))
    assert problem is None or problem[0].islower()
