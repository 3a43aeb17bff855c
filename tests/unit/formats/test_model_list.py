"""Listings of models, as vendors write them and as we do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.formats import read_model_list, write_model_list


@pytest.mark.parametrize(
    ("listing", "models"),
    [
        (
            {"object": "list", "data": [{"id": "gpt-4o", "created": 1715367049, "owned_by": "x"}]},
            [("gpt-4o", 1715367049)],
        ),
        ({"data": [{"type": "model", "id": "claude", "created_at": "2025-02-19T00:00:00Z"}]}, [("claude", 1739923200)]),
        ({"models": [{"name": "models/gemini-2.5-pro", "version": "1"}]}, [("gemini-2.5-pro", 0)]),
        ({"models": [{"name": "llama3:latest", "model": "llama3:latest", "size": 1}]}, [("llama3:latest", 0)]),
        ({"data": []}, []),
        ({"data": [{"id": ""}, {"id": 7}, {}, "x", {"id": "a", "created": "soon", "created_at": 1}]}, [("a", 0)]),
        ({"data": [{"id": "a", "created_at": "2025-02-19T00:00:00"}]}, [("a", 0)]),
        ({"data": [{"id": "a", "created": 2**70}, {"id": "b", "created": -1}]}, [("a", 0), ("b", 0)]),
        ({"data": None, "models": [{"name": "models/"}, {"name": "b"}]}, [("b", 0)]),
    ],
)
def test_what_vendors_list(listing, models):
    """Names and creation are read; what is of another type is left out, entry by entry."""
    assert read_model_list(json.dumps(listing).encode()) == models


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"data": 1}', b'{"error": {}}', b"\xff" * 9])
def test_what_is_no_listing(body):
    """It cannot be told from an empty one by its content, so it is none."""
    assert read_model_list(body) is None


@given(st.lists(st.tuples(st.text(min_size=1).filter(lambda it: not it.startswith("models/")), st.integers(0, 2**40))))
def test_what_is_written_is_read(models):
    """An own listing is one like any other."""
    written = write_model_list((name, created, "owner") for name, created in models)

    assert read_model_list(written) == models
    assert all(entry["object"] == "model" and entry["owned_by"] == "owner" for entry in json.loads(written)["data"])
