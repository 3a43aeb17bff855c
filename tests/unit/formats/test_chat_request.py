import base64
import json

import pytest

from gen.ingate.chat.v1 import chat_pb2 as pb
from gen.ingate.chat.v1.message_pb2 import (
    AUDIO_FORMAT_MP3,
    IMAGE_DETAIL_LOW,
    ROLE_ASSISTANT,
    ROLE_SYSTEM,
    ROLE_TOOL,
    ROLE_USER,
    Audio,
    Document,
    Image,
    Message,
    Part,
    ToolCall,
    ToolResult,
)
from ingate.errors import BadRequest
from ingate.formats import at_once
from ingate.formats.chat_request import MAX_COMPLETION_TOKENS, MAX_TOKENS, writing_body

SCHEMA = b'{"type": "object",\n "properties": {"city": {"type": "string"}}}'
HI = Message(role=ROLE_USER, parts=[Part(text="hi")])


def chat(*messages, **fields):
    return pb.Chat(model="m", messages=messages or [HI], **fields)


def written(asked, *, stream=False, usage=False, limit=MAX_TOKENS):
    """Returns the members of a body."""
    return json.loads(at_once(writing_body(asked, stream=stream, usage=usage, limit=limit)))


def message(role, *parts, **fields):
    """Returns what one message becomes."""
    found = written(chat(Message(role=role, parts=parts, **fields)))["messages"]
    return found[0] if len(found) == 1 else found


def refused(asked):
    """Returns the fields of the refusal."""
    with pytest.raises(BadRequest) as caught:
        written(asked)
    return list(caught.value.fields)


def test_what_is_left_out_is_not_sent():
    """The least that can be asked."""
    assert written(chat()) == {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def test_everything_that_can_be_asked():
    """Each field is the member that OpenAI documents, zeros that were stated among them."""
    asked = chat(
        tools=[
            pb.Tool(name="weather", description="tells", parameters=SCHEMA, strict=True),
            pb.Tool(name="clock", strict=False),
        ],
        tool_choice=pb.ToolChoice(tool="clock"),
        parallel_tool_calls=False,
        output_schema=pb.OutputSchema(name="o", description="d", schema=SCHEMA, strict=True),
        sampling=pb.Sampling(
            temperature=0,
            top_p=0.5,
            frequency_penalty=-2,
            presence_penalty=2,
            seed=-(2**63),
            stop=["a", "\n"],
            max_tokens=9,
        ),
        reasoning_effort=pb.REASONING_EFFORT_MINIMAL,
        user="u",
        metadata={"k": "v"},
    )
    schema = json.loads(SCHEMA)
    tool = {"name": "weather", "description": "tells", "parameters": schema, "strict": True}
    assert written(asked, stream=True, usage=True) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "tools": [
            {"type": "function", "function": tool},
            {"type": "function", "function": {"name": "clock", "strict": False}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "clock"}},
        "parallel_tool_calls": False,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "o", "description": "d", "schema": schema, "strict": True},
        },
        "temperature": 0,
        "top_p": 0.5,
        "frequency_penalty": -2,
        "presence_penalty": 2,
        "seed": -(2**63),
        "stop": ["a", "\n"],
        "max_tokens": 9,
        "reasoning_effort": "minimal",
        "user": "u",
        "metadata": {"k": "v"},
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_schema_crosses_as_it_was_written():
    """Byte for byte."""
    asked = chat(tools=[pb.Tool(name="f", parameters=SCHEMA)])
    assert SCHEMA in at_once(writing_body(asked, stream=False, usage=False, limit=MAX_TOKENS))


def test_the_bound_of_tokens_has_the_name_that_the_provider_knows():
    """One of two, and never both."""
    asked = chat(sampling=pb.Sampling(max_tokens=5))
    assert written(asked, limit=MAX_COMPLETION_TOKENS).keys() == {"model", "messages", MAX_COMPLETION_TOKENS}


def test_a_stream_without_the_question_for_usage():
    """Where it is not asked."""
    assert written(chat(), stream=True).keys() == {"model", "messages", "stream"}


@pytest.mark.parametrize(
    ("mode", "word"),
    [(pb.TOOL_MODE_AUTO, "auto"), (pb.TOOL_MODE_NONE, "none"), (pb.TOOL_MODE_REQUIRED, "required")],
)
def test_modes_of_tools(mode, word):
    """Are OpenAI's words."""
    asked = chat(tools=[pb.Tool(name="f")], tool_choice=pb.ToolChoice(mode=mode))
    assert written(asked)["tool_choice"] == word


@pytest.mark.parametrize("size", [1, 2, 3, 96 * 1024, 96 * 1024 + 1, 300_000])
def test_bytes_are_in_base64(size):
    """Whatever their length is."""
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    packed = base64.b64encode(data).decode()
    assert message(
        ROLE_USER,
        Part(text="look"),
        Part(image=Image(data=data, media_type="image/png", detail=IMAGE_DETAIL_LOW)),
        Part(image=Image(url="https://example.com/a.png")),
        Part(audio=Audio(data=data, format=AUDIO_FORMAT_MP3)),
        Part(document=Document(data=data, media_type="application/pdf", filename="a.pdf")),
        name="n",
    ) == {
        "role": "user",
        "name": "n",
        "content": [
            {"type": "text", "text": "look"},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{packed}", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {"type": "input_audio", "input_audio": {"data": packed, "format": "mp3"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{packed}"}},
        ],
    }


def test_what_the_model_said():
    """Text is a string where it can be; a refusal and calls stand beside it; nothing is an empty text."""
    call = ToolCall(id="c", name="f", arguments="no JSON")
    made = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "no JSON"}}
    role = {"role": "assistant"}
    assert message(ROLE_ASSISTANT) == role | {"content": ""}
    assert message(ROLE_ASSISTANT, Part(text="a")) == role | {"content": "a"}
    assert message(ROLE_ASSISTANT, Part(text="a"), Part(text="b")) == role | {
        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    }
    assert message(ROLE_ASSISTANT, Part(refusal="no"), Part(tool_call=call)) == role | {
        "content": None,
        "refusal": "no",
        "tool_calls": [made],
    }
    assert message(ROLE_ASSISTANT, Part(text="a"), Part(tool_call=call)) == role | {
        "content": "a",
        "tool_calls": [made],
    }


def test_results_are_a_message_each():
    """As OpenAI takes them."""
    results = [Part(tool_result=ToolResult(tool_call_id=name, content=f"r{name}")) for name in "ab"]
    assert message(ROLE_TOOL, *results) == [
        {"role": "tool", "tool_call_id": "a", "content": "ra"},
        {"role": "tool", "tool_call_id": "b", "content": "rb"},
    ]


PARTS = {
    "text": Part(text="a"),
    "image": Part(image=Image(url="https://a")),
    "audio": Part(audio=Audio(data=b"a", format=AUDIO_FORMAT_MP3)),
    "document": Part(document=Document(data=b"a", media_type="a/b")),
    "tool_call": Part(tool_call=ToolCall(name="f")),
    "tool_result": Part(tool_result=ToolResult(content="r")),
    "refusal": Part(refusal="no"),
}
ALLOWED = {
    ROLE_SYSTEM: {"text"},
    ROLE_USER: {"text", "image", "audio", "document"},
    ROLE_ASSISTANT: {"text", "refusal", "tool_call"},
    ROLE_TOOL: {"tool_result"},
}


@pytest.mark.parametrize("role", ALLOWED)
@pytest.mark.parametrize("kind", PARTS)
def test_each_role_has_its_parts(role, kind):
    """Another is refused with its path, and nothing is written."""
    asked = chat(HI, Message(role=role, parts=[*(PARTS[one] for one in ALLOWED[role]), PARTS[kind]]))
    if kind in ALLOWED[role]:
        assert len(written(asked)["messages"]) > 1
    else:
        assert refused(asked) == [f"chat.messages[1].parts[{len(ALLOWED[role])}]"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"messages": [Message(role=ROLE_USER)]}, "chat.messages[0].parts"),
        ({"messages": [HI, Message(role=ROLE_TOOL)]}, "chat.messages[1].parts"),
        ({"messages": [Message(role=ROLE_TOOL, name="n", parts=[PARTS["tool_result"]])]}, "chat.messages[0].name"),
        (
            {"messages": [Message(role=ROLE_USER, parts=[Part(image=Image(data=b"x"))])]},
            "chat.messages[0].parts[0].image.media_type",
        ),
        ({"tools": [pb.Tool(name="f"), pb.Tool(name="f")]}, "chat.tools[1].name"),
        ({"tool_choice": pb.ToolChoice(mode=pb.TOOL_MODE_AUTO)}, "chat.tool_choice"),
        ({"parallel_tool_calls": True}, "chat.parallel_tool_calls"),
        ({"tools": [pb.Tool(name="f")], "tool_choice": pb.ToolChoice(tool="g")}, "chat.tool_choice.tool"),
    ],
)
def test_what_no_provider_can_be_asked(fields, field):
    """Is refused, and the field named."""
    asked = chat() if "messages" not in fields else pb.Chat(model="m")
    asked.MergeFrom(pb.Chat(**fields))
    assert refused(asked) == [field]


@pytest.mark.parametrize(
    "schema",
    [
        b"[]",
        b"1",
        b"null",
        b"{",
        b'{"a": 1} x',
        b'{"a": nan}',
        b'{"a": "\xff"}',
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a":' * 61 + b"1" + b"}" * 61,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_schema(schema):
    """Anything but a JSON object that can be followed."""
    assert refused(chat(tools=[pb.Tool(name="f", parameters=schema)])) == ["chat.tools[0].parameters"]
    assert refused(chat(output_schema=pb.OutputSchema(name="o", schema=schema))) == ["chat.output_schema.schema"]


def test_a_schema_may_be_as_deep_as_is_promised():
    """And the body can still be followed."""
    schema = b'{"a":' * 59 + b"{}" + b"}" * 59
    assert written(chat(tools=[pb.Tool(name="f", parameters=schema)]))["tools"]
