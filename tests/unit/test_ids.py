import itertools
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate import ids

RANDOM = "0a5f7f61-bc8e-4277-939b-fe2ec9a0b203"


def test_an_id_is_a_uuid_of_version_7_with_the_time():
    """Its first 48 bits are the milliseconds of now, in the usual text form."""
    before = time.time_ns() // 1_000_000
    text = ids.uuid7()
    found = uuid.UUID(text)
    assert str(found) == text
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert before <= found.int >> 80 <= time.time_ns() // 1_000_000 + 1000


def test_ids_grow():
    """Text order is the order in which they were made, however many in a millisecond."""
    made = [ids.uuid7() for _ in range(20_000)]
    assert all(one < other for one, other in itertools.pairwise(made))


@given(st.lists(st.integers(1, 2**47), min_size=2, max_size=30))
def test_ids_grow_whatever_the_clock_does(milliseconds):
    """A clock that steps back, by years too, does not turn the order around."""
    reached = ids._millisecond, ids._lead
    with pytest.MonkeyPatch.context() as patch:
        ticks = iter(milliseconds)
        patch.setattr(ids.time, "time_ns", lambda: next(ticks) * 1_000_000)
        made = [ids.uuid7() for _ in milliseconds]
    ids._millisecond, ids._lead = reached
    assert made == sorted(set(made))
    assert all(uuid.UUID(text).version == 7 for text in made)


SOME = uuid.UUID("20108cbd-ecd1-4208-ab88-cf483314d450")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (RANDOM, True),
        (str(uuid.UUID(int=0)), True),
        (RANDOM.upper(), False),
        (RANDOM.replace("-", ""), False),
        (f"{{{RANDOM}}}", False),
        (f"{RANDOM}\n", False),
        (f" {RANDOM}", False),
        ("0198c0de-0000-7000-8000-00000000000g", False),
        ("٣" * 8 + "-0000-7000-8000-000000000000", False),
        ("", False),
    ],
)
def test_a_uuid_is_told_from_other_text(text, verdict):
    """One form only, so that two texts are never one id."""
    assert ids.is_uuid(text) is verdict


def test_tokens_are_long_and_fresh():
    """256 bits after a prefix that names the kind of the token."""
    for make, prefix in ((ids.new_session_token, "ses-ingate-"), (ids.new_invitation_token, "inv-ingate-")):
        secrets = {make() for _ in range(100)}
        assert len(secrets) == 100
        assert all(secret.startswith(prefix) and len(secret) == len(prefix) + 43 for secret in secrets)


def test_a_secret_is_looked_up_by_its_sha_256():
    """The known digest of a known text; any text has one."""
    assert ids.secret_hash("abc").hex().startswith("ba7816bf8f01cfea")
    assert len(ids.secret_hash("🤖" * 10_000)) == 32
