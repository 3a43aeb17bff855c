import pytest

from ingate.formats import Format, detect
from ingate.formats.paths import gemini_method, gemini_model


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/chat/completions", Format.OPENAI_CHAT),
        ("/chat/completions", Format.OPENAI_CHAT),
        ("/openai/v1/chat/completions", Format.OPENAI_CHAT),
        ("/api/chat/completions", Format.OPENAI_CHAT),
        ("/openai/deployments/gpt-4o/chat/completions", Format.OPENAI_CHAT),
        ("/v1/completions", Format.OPENAI_COMPLETIONS),
        ("/completions", Format.OPENAI_COMPLETIONS),
        ("/v1/responses", Format.OPENAI_RESPONSES),
        ("/responses", Format.OPENAI_RESPONSES),
        ("/v1/responses/resp_1", Format.OPENAI_STORED_RESPONSES),
        ("/v1/responses/input_tokens", Format.TOKEN_COUNT),
        ("/v1/embeddings", Format.OPENAI_EMBEDDINGS),
        ("/api/v1/embeddings", Format.OPENAI_EMBEDDINGS),
        ("/v1/messages", Format.ANTHROPIC_MESSAGES),
        ("/messages", Format.ANTHROPIC_MESSAGES),
        ("/anthropic/v1/messages", Format.ANTHROPIC_MESSAGES),
        ("/v1/messages/count_tokens", Format.TOKEN_COUNT),
        ("/v1/messages/batches", Format.BATCHES),
        ("/v1/threads/thread_1/messages", Format.OTHER),
        ("/v1/chat/completions/c1/messages", Format.OTHER),
        ("/v1beta/models/gemini-2.0-flash:generateContent", Format.GEMINI),
        ("/v1/models/gemini-2.0-flash:streamGenerateContent", Format.GEMINI),
        ("/gemini/v1beta/models/text-embedding-004:embedContent", Format.GEMINI),
        ("/v1beta/models/text-embedding-004:batchEmbedContents", Format.GEMINI),
        ("/v1beta/models/gemini-2.0-flash%3AgenerateContent", Format.GEMINI),
        ("/v1/projects/p/locations/l/publishers/google/models/gemini:generateContent", Format.GEMINI),
        ("/v1beta/models/gemini-2.0-flash:countTokens", Format.TOKEN_COUNT),
        ("/v1beta/models/:generateContent", Format.OTHER),
        ("/v1beta/models/generateContent", Format.OTHER),
        ("/v1beta/models", Format.OTHER),
        ("/api/chat", Format.OLLAMA),
        ("/ollama/api/generate", Format.OLLAMA),
        ("/api/embed", Format.OLLAMA),
        ("/api/embeddings", Format.OLLAMA),
        ("/api/tags", Format.OTHER),
        ("/v1/models", Format.OTHER),
        ("/v1/mychat/completions2", Format.OTHER),
        ("/", Format.OTHER),
        ("", Format.OTHER),
        ("completions", Format.OPENAI_COMPLETIONS),
        ("/v1/\udcff/é", Format.OTHER),
    ],
)
def test_detects_the_format_of_a_path(path, expected):
    """A path's last segments decide, whatever precedes them."""
    assert detect(path) is expected


@pytest.mark.parametrize(
    ("path", "model", "method"),
    [
        ("/v1beta/models/gemini-2.0-flash:generateContent", "gemini-2.0-flash", "generateContent"),
        ("/v1beta/models/a%2Fb%3AembedContent", "a/b", "embedContent"),
        ("/v1beta/models/google/gemini:generateContent", "google/gemini", "generateContent"),
        ("/v1beta/tunedModels/mine:generateContent", "mine", "generateContent"),
        ("/v1beta/models/a:b:generateContent", "a:b", "generateContent"),
        ("/v1beta/models/:generateContent", None, ""),
        ("/nothing", None, ""),
    ],
)
def test_gemini_paths_name_model_and_method(path, model, method):
    """The model lies between `models/` and the last colon, the method behind it."""
    assert (gemini_model(path), gemini_method(path)) == (model, method)
