"""LLM wire formats: what can be learned from requests and responses, and the few edits of their bytes.

Pure: no I/O, no clock, no provider. One module per format; `reader` and `request` choose among them.
"""

from ingate.formats.encoding import unpacking
from ingate.formats.estimate import estimating
from ingate.formats.facts import MAX_TEXT, ResponseFacts
from ingate.formats.large_request import LargeCall, asking_large, reading_call, renaming
from ingate.formats.malformed import MalformedBody
from ingate.formats.model_list import Listed, read_model_list, write_model, write_model_list
from ingate.formats.multipart import boundary_of
from ingate.formats.other_request import naming_other, taking_out
from ingate.formats.pace import LARGE, MOST, Pace, Steps, at_once
from ingate.formats.paths import KEPT, SHARED, Format, cloud_of, detect, named_model, path_model, without_prefix
from ingate.formats.reader import ResponseReader, read_response, read_small, reading_response
from ingate.formats.request import JUDGED, Call, read_call, read_prompt, read_small_prompt, reading_prompt
from ingate.formats.request_side import INCOMPLETE, completed
from ingate.formats.rewrite import rewrite_model
from ingate.formats.spliced import Body, Whole, views
from ingate.formats.sse import SSEParser
from ingate.formats.stream_usage import ASKED, asking, names_the_option
from ingate.formats.usage_filter import UsageFilter, with_hidden
from ingate.formats.vendor_errors import REQUEST_ID_HEADERS, Fault, error_members
from ingate.formats.vendors import CHAT_FORMATS, VENDORS, Vendor
from ingate.pricing.usage import Pairs, Usage

__all__ = [
    "ASKED",
    "CHAT_FORMATS",
    "INCOMPLETE",
    "JUDGED",
    "KEPT",
    "LARGE",
    "MAX_TEXT",
    "MOST",
    "REQUEST_ID_HEADERS",
    "SHARED",
    "VENDORS",
    "Body",
    "Call",
    "Fault",
    "Format",
    "LargeCall",
    "Listed",
    "MalformedBody",
    "Pace",
    "Pairs",
    "ResponseFacts",
    "ResponseReader",
    "SSEParser",
    "Steps",
    "Usage",
    "UsageFilter",
    "Vendor",
    "Whole",
    "asking",
    "asking_large",
    "at_once",
    "boundary_of",
    "cloud_of",
    "completed",
    "detect",
    "error_members",
    "estimating",
    "named_model",
    "names_the_option",
    "naming_other",
    "path_model",
    "read_call",
    "read_model_list",
    "read_prompt",
    "read_response",
    "read_small",
    "read_small_prompt",
    "reading_call",
    "reading_prompt",
    "reading_response",
    "renaming",
    "rewrite_model",
    "taking_out",
    "unpacking",
    "views",
    "with_hidden",
    "without_prefix",
    "write_model",
    "write_model_list",
]
