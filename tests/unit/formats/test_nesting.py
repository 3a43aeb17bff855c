import json

from hypothesis import given
from hypothesis import strategies as st

from ingate.formats.nesting import deeper_than

text = st.text(alphabet='[]{}"\\/n,:é\n\t\b\f\r', max_size=6)
value = st.recursive(
    text | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=30,
)


def depth(one):
    inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(
    one=value, indent=st.sampled_from([None, 1]), pad=st.sampled_from([0, 70_000]), slash=st.sampled_from(["/", "\\/"])
)
def test_agrees_with_the_decoded_depth(one, indent, pad, slash):
    """The depth is that of the decoded value, of small and of large texts, whatever their strings hold."""
    body = json.dumps([one, '"[' * pad], indent=indent).replace("/", slash).encode()
    expected = max(1, 1 + depth(one))
    assert not deeper_than(body, expected)
    assert deeper_than(body, expected - 1)
