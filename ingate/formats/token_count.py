"""How many tokens a request would have, as OpenAI, Anthropic, Gemini, Vertex and Bedrock count them.

A count is an answer, not a use: nothing was generated and nothing is billed.
"""

from msgspec import Raw, Struct, defstruct, field
from msgspec.structs import fields

from ingate.formats import conversation, gemini, openai_responses
from ingate.formats.fault import describe_body
from ingate.formats.shape import Shape
from ingate.formats.tally import Tally
from ingate.formats.usage import Count
from ingate.pricing.usage import COUNTED_TOKENS


class _Answer(Struct, gc=False):
    input_tokens: Count | None = None
    total: Count | None = field(name="totalTokens", default=None)  # Gemini
    inputs: Count | None = field(name="inputTokens", default=None)  # Bedrock
    error: Raw = Raw()


ANSWER = Shape(_Answer)
REQUEST = Shape(
    defstruct(
        "Request",
        [
            (member.name, member.type, None)
            for kind in (conversation.Request, openai_responses.Request, gemini.Request)
            for member in fields(kind)
        ],
    )
)
"""What is counted, in the words of any of them."""


def prompt(body: bytes) -> str | None:
    """Returns the prompt of what is counted; `None` when there is none, or the body is not a JSON object."""
    for read in (conversation.prompt, openai_responses.prompt, gemini.prompt):
        if (said := read(body)) is not None:
            return said
    return None


def whole(tally: Tally, data: bytes) -> bool:
    """Takes a whole response; tells whether it could be read."""
    answer = ANSWER.read(data)
    if answer is None:
        return False
    if answer.error and tally.fails(answer.error):
        return True
    counts = (answer.input_tokens, answer.total, answer.inputs)
    counted = next((count for count in counts if count is not None), None)
    if counted is None:
        tally.error = describe_body(data)
    else:
        tally.term(COUNTED_TOKENS, str(counted))
    return True
