"""Listings of models, as vendors write them and as we do."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingate.formats import Listed, Vendor, read_model_list, write_model, write_model_list


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
    read = read_model_list(json.dumps(listing).encode())

    assert read is not None
    assert [(model.id, model.created) for model in read] == models


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"data": 1}', b'{"error": {}}', b"\xff" * 9])
def test_what_is_no_listing(body):
    """It cannot be told from an empty one by its content, so it is none."""
    assert read_model_list(body) is None


names = st.text(min_size=1).filter(lambda it: not it.startswith("models/"))


def listing(models, words):
    return write_model_list({model.id: write_model(model, words) for model in models}, words)


@given(st.dictionaries(names, st.integers(0, 2**53)), st.sampled_from(Vendor))
def test_what_is_written_is_read(models, words):
    """A listing in anybody's words is one like any other; Gemini's and Ollama's tell no time of creation."""
    read = read_model_list(listing([Listed(name, created, "owner") for name, created in models.items()], words))

    assert read is not None
    assert [model.id for model in read] == list(models)
    if words is Vendor.OPENAI:
        assert [model.created for model in read] == list(models.values())


MODELS = [Listed("gpt", 1_700_000_000, "one"), Listed("two/gem", 0, "two", ("embedContent",))]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            Vendor.OPENAI,
            {
                "object": "list",
                "data": [
                    {"id": "gpt", "object": "model", "created": 1_700_000_000, "owned_by": "one"},
                    {"id": "two/gem", "object": "model", "created": 0, "owned_by": "two"},
                ],
            },
        ),
        (
            Vendor.ANTHROPIC,
            {
                "data": [
                    {
                        "type": "model",
                        "id": "gpt",
                        "display_name": "gpt",
                        "created_at": "2023-11-14T22:13:20Z",
                        "lifecycle": "active",
                    },
                    {
                        "type": "model",
                        "id": "two/gem",
                        "display_name": "two/gem",
                        "created_at": "1970-01-01T00:00:00Z",
                        "lifecycle": "active",
                    },
                ],
                "has_more": False,
                "first_id": "gpt",
                "last_id": "two/gem",
            },
        ),
        (
            Vendor.GEMINI,
            {
                "models": [
                    {
                        "name": "models/gpt",
                        "version": "",
                        "displayName": "gpt",
                        "description": "Of the provider one.",
                        "supportedGenerationMethods": ["generateContent"],
                    },
                    {
                        "name": "models/two/gem",
                        "version": "",
                        "displayName": "two/gem",
                        "description": "Of the provider two.",
                        "supportedGenerationMethods": ["embedContent"],
                    },
                ]
            },
        ),
    ],
)
def test_every_vendors_shape(words, expected):
    """What its SDK reads, written out."""
    assert json.loads(listing(MODELS, words)) == expected


def test_ollamas_shape():
    """A tag has its name twice, a time and the blanks of what is not known."""
    [tag, _] = json.loads(listing(MODELS, Vendor.OLLAMA))["models"]

    assert (tag["name"], tag["model"], tag["modified_at"], tag["size"]) == ("gpt", "gpt", "2023-11-14T22:13:20Z", 0)
    assert set(tag["details"]) == {"format", "family", "families", "parameter_size", "quantization_level"}


def test_an_empty_listing_has_no_ends():
    """As Anthropic writes them."""
    assert json.loads(listing([], Vendor.ANTHROPIC)) == {
        "data": [],
        "has_more": False,
        "first_id": None,
        "last_id": None,
    }


def test_what_gemini_does_with_a_model():
    """Its methods are read, and written again."""
    [model] = read_model_list(b'{"models": [{"name": "models/e", "supportedGenerationMethods": ["embedContent"]}]}')

    assert model == Listed("e", methods=("embedContent",))
