"""LLM wire formats: what can be learned from requests and responses without changing a byte.

Pure: no I/O, no clock, no provider. One module per format; `reader` and `request` choose among them.
"""

from ingate.formats.encoding import unpacked
from ingate.formats.facts import MAX_TEXT, Pairs, ResponseFacts
from ingate.formats.malformed import MalformedBody
from ingate.formats.model_list import read_model_list, write_model_list
from ingate.formats.paths import Format, detect
from ingate.formats.reader import ResponseReader, read_response
from ingate.formats.request import read_model, read_prompt
from ingate.formats.rewrite import rewrite_model
from ingate.formats.sse import SSEParser
from ingate.pricing.usage import Usage

__all__ = [
    "MAX_TEXT",
    "Format",
    "MalformedBody",
    "Pairs",
    "ResponseFacts",
    "ResponseReader",
    "SSEParser",
    "Usage",
    "detect",
    "read_model",
    "read_model_list",
    "read_prompt",
    "read_response",
    "rewrite_model",
    "unpacked",
    "write_model_list",
]
