import pytest

from ingate.formats import Format, detect
from ingate.formats.paths import gemini_method, gemini_model, is_alias, named_model, path_model, without_prefix


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
        ("/v1/responses/resp_1/cancel", Format.OPENAI_STORED_RESPONSES),
        ("/openai/v1/responses/resp_1", Format.OPENAI_STORED_RESPONSES),
        ("/v1/responses/resp_1/input_items", Format.OTHER),
        ("/v1/responses/compact", Format.OPENAI_RESPONSES),
        ("/v1/responses/", Format.OTHER),
        ("/v1/audio/transcriptions", Format.OPENAI_TRANSCRIPTIONS),
        ("/openai/deployments/whisper/audio/translations", Format.OPENAI_TRANSCRIPTIONS),
        ("/audio/speech", Format.OPENAI_SPEECH),
        ("/v1/images/generations", Format.OPENAI_IMAGES),
        ("/v1/images/edits", Format.OPENAI_IMAGES),
        ("/v1/images/variations", Format.OPENAI_IMAGES),
        ("/v1/generations", Format.OTHER),
        ("/v1/moderations", Format.OPENAI_MODERATIONS),
        ("/v2/rerank", Format.RERANK),
        ("/v1/batches", Format.BATCHES),
        ("/v1/batches/b/cancel", Format.BATCHES),
        ("/v1/messages/batches/m", Format.BATCHES),
        ("/v1/messages/batches/m/results", Format.OTHER),
        ("/v1beta/batches/1", Format.BATCHES),
        ("/v1beta/models/g:batchGenerateContent", Format.BATCHES),
        ("/v1/batch/jobs/j", Format.BATCHES),
        ("/v1/fine_tuning/jobs/j", Format.OTHER),
        ("/v1/fine_tuning/jobs/j/cancel", Format.OTHER),
        ("/v1/files", Format.FILES),
        ("/v1/files/f", Format.FILES),
        ("/v1/files/f/content", Format.OTHER),
        ("/cancel", Format.OTHER),
        ("/model/m/converse", Format.BEDROCK_CONVERSE),
        ("/model/m/converse-stream", Format.BEDROCK_CONVERSE),
        ("/aws/model/a%3Ab%2Fm/invoke", Format.BEDROCK_INVOKE),
        ("/model/m/invoke-with-response-stream", Format.BEDROCK_INVOKE),
        ("/model/m/count-tokens", Format.TOKEN_COUNT),
        ("/converse", Format.OTHER),
        ("/functions/f/invoke", Format.OTHER),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/c@1:rawPredict", Format.VERTEX_ANTHROPIC),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/c%401:streamRawPredict", Format.VERTEX_ANTHROPIC),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict", Format.TOKEN_COUNT),
        ("/v1/projects/p/locations/l/publishers/mistralai/models/m@1:rawPredict", Format.VERTEX_CHAT),
        ("/v1/projects/p/locations/l/publishers/google/models/g:countTokens", Format.TOKEN_COUNT),
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


BEDROCK = "/model/{}/converse"
PUBLISHERS = "/v1/projects/p/locations/l/publishers"


@pytest.mark.parametrize(
    ("path", "model"),
    [
        (BEDROCK.format("us.anthropic.claude-v1:0"), "us.anthropic.claude-v1:0"),
        (BEDROCK.format("us.anthropic.claude-v1%3A0"), "us.anthropic.claude-v1:0"),
        (
            BEDROCK.format("arn%3Aaws%3Abedrock%3A%3A1%3Ainference-profile%2Fm"),
            "arn:aws:bedrock::1:inference-profile/m",
        ),
        (BEDROCK.format("arn:aws:bedrock::1:inference-profile/m"), "arn:aws:bedrock::1:inference-profile/m"),
        (BEDROCK.format(""), None),
        ("/model/m/count-tokens", "m"),
        (f"{PUBLISHERS}/anthropic/models/c@1:rawPredict", "c@1"),
        (f"{PUBLISHERS}/anthropic/models/c%401:streamRawPredict", "c@1"),
        (f"{PUBLISHERS}/anthropic/models/count-tokens:rawPredict", None),
        (f"{PUBLISHERS}/mistralai/models/m@1:rawPredict", "m@1"),
        ("/v1beta/models/g:countTokens", "g"),
        ("/v1beta/models/g:batchGenerateContent", "g"),
        ("/v1beta/models/g:generateContent", "g"),
        ("/v1beta/batches/1", None),
        ("/v1/messages/count_tokens", None),
        ("/v1/chat/completions", None),
        ("/v1/models/m", None),
        ("/openai/deployments/my%20whisper/audio/transcriptions", "my whisper"),
        ("/openai/deployments/d/chat/completions", None),
        ("/v1/images/edits", None),
    ],
)
def test_some_paths_name_the_model(path, model):
    """Encoded or plain; a path of another format names none."""
    assert path_model(detect(path), path) == model


def test_a_profile_of_a_customers_own_may_be_any_model():
    """One of Amazon's is named after its model."""
    assert is_alias("arn:aws:bedrock:us-east-1:1:application-inference-profile/x")
    assert not is_alias("arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude")


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/models/gpt-4o", "gpt-4o"),
        ("/models/p/a/b", "p/a/b"),
        ("/v1/models/p%2Fa%2Fb", "p/a/b"),
        ("/v1beta/models/g:predict", "g"),
        ("/v1beta/models/p/g:countTokens", "p/g"),
        ("/v1beta/tunedModels/p/mine:transferOwnership", "p/mine"),
        ("/v1/models/ft:gpt-4o:acme::x7", "ft:gpt-4o:acme::x7"),
        ("/v1/models", None),
        ("/v1/models/", None),
        ("/v1/model/a", None),
        ("/v1/files/f", None),
    ],
)
def test_paths_of_any_api_name_models(path, model):
    """What stands behind `models/`, without a verb of Google's."""
    assert named_model(path) == model


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/models/p/a", "/v1/models/a"),
        ("/models/p/a/b", "/models/a/b"),
        ("/v1/models/p%2Fa%2fb", "/v1/models/a%2fb"),
        ("/v1/models/p%2fa", "/v1/models/a"),
        ("/v1beta/models/p/g%3AgenerateContent", "/v1beta/models/g%3AgenerateContent"),
        ("/v1beta/tunedModels/p/mine:generateContent", "/v1beta/tunedModels/mine:generateContent"),
        ("/model/p/us.amazon.nova%3A0/converse", "/model/us.amazon.nova%3A0/converse"),
        ("/model/p%2Farn%3Aa%2Fb/invoke", "/model/arn%3Aa%2Fb/invoke"),
        ("/openai/deployments/p%2Fgpt/chat/completions", "/openai/deployments/gpt/chat/completions"),
        # The name of a provider may be that of a model.
        ("/model/p/converse", None),
        ("/openai/deployments/p/chat/completions", None),
        ("/v1/models/p:generateContent", None),
        ("/v1/models/p", None),
        ("/v1/models/q/p/a", None),
        ("/v1/models/pp/a", None),
        ("/v1/p/models/a", None),
        ("/v1/files/p/a", None),
    ],
)
def test_a_prefix_is_taken_out_of_a_path(path, expected):
    """With its slash, plain or encoded, where it stands before a model; nothing else changes."""
    assert without_prefix(path, "p") == (expected or path)
