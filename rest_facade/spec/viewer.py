"""An OpenAPI document as one HTML page, made here: it needs no script and no network. Knows documents, no routes."""

from collections.abc import Iterator, Mapping
from html import escape
from itertools import groupby
from typing import Any

from rest_facade.dialects.base import Answer
from rest_facade.page import page

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "code{background:#f4f4f4;padding:0 .2em}table{border-collapse:collapse;width:100%}"
    "td,th{border-top:1px solid #ddd;padding:.3rem .6rem .3rem 0;text-align:left;vertical-align:top}"
    "h3{margin-top:2.5rem;border-top:2px solid #ddd;padding-top:1rem}nav ul{columns:2}"
)
_SCHEMA = "#/components/schemas/"
_BOUNDS = ("minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "pattern", "format")


def viewed(document: Mapping[str, Any]) -> Answer:
    """Returns the page of a document."""
    info = document["info"]
    found = sorted(
        (operation["tags"][0], path, verb, operation)
        for path, operations in document["paths"].items()
        for verb, operation in operations.items()
    )
    parts = [
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>\n<p>{_text(info['description'])}</p>\n",
        '<p>This page is made of <a href="/openapi.json">the OpenAPI document</a>.</p>\n<nav>\n',
        *_index(found),
        "</nav>\n",
        *(_operation(path, verb, operation, document) for _, path, verb, operation in found),
        "<h2>Schemas</h2>\n",
        *(_schema(name, schema) for name, schema in document["components"]["schemas"].items()),
    ]
    return page(info["title"], _STYLE, "".join(parts))


def _index(found: list[tuple[str, str, str, Any]]) -> Iterator[str]:
    for tag, group in groupby(found, key=lambda it: it[0]):
        links = "".join(
            f'<li><a href="#{escape(operation["operationId"])}">{escape(operation["operationId"])}</a></li>\n'
            for _, _, _, operation in group
        )
        yield f"<h2>{escape(tag)}</h2>\n<ul>\n{links}</ul>\n"


def _operation(path: str, verb: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    name = escape(operation["operationId"])
    description = "".join(f"<p>{_text(part)}</p>\n" for part in operation.get("description", "").split("\n\n"))
    rows = [
        (f"<code>{escape(it['name'])}</code>, {it['in']}", _type(it["schema"]), _text(it.get("description", "")))
        for it in operation.get("parameters", ())
    ]
    sent = [
        f"<p>Body: {_type(content['schema'])} as <code>{escape(media)}</code></p>\n"
        for media, content in operation.get("requestBody", {}).get("content", {}).items()
    ]
    answers = [
        (f"<code>{escape(status)}</code>", _answer_type(answer), _text(answer["description"]))
        for status, answer in ((status, _resolved(it, document)) for status, it in operation["responses"].items())
    ]
    return (
        f'<h3 id="{name}">{name}</h3>\n<p><code>{verb.upper()} {escape(path)}</code></p>\n'
        f"<p>{_text(operation['summary'])}</p>\n{description}{_table(rows)}{''.join(sent)}{_table(answers)}"
    )


def _resolved(response: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in response:
        return response
    found: Mapping[str, Any] = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return found


def _answer_type(answer: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{_type(content['schema'])} as <code>{escape(media)}</code>"
        for media, content in answer.get("content", {}).items()
    )


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    needed = frozenset(schema.get("required", ()))
    rows = [
        (
            f"<code>{escape(key)}</code>{'' if key in needed else ', optional'}",
            _type(value),
            _text(value.get("description", "")),
        )
        for key, value in schema.get("properties", {}).items()
    ]
    said = f"<p>{_text(schema.get('description', ''))}</p>\n"
    values = "" if rows else f"<p>{_type(schema)}</p>\n"
    return f'<h3 id="{escape(name)}">{escape(name)}</h3>\n{said}{values}{_table(rows)}'


def _type(schema: Mapping[str, Any]) -> str:
    """Returns what values of a schema are, with a link where it has a name."""
    if "$ref" in schema:
        name = escape(schema["$ref"].removeprefix(_SCHEMA))
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(it) for it in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"<code>{escape(str(it))}</code>" for it in schema["enum"])
    kinds = schema.get("type", "any JSON")
    said = escape(kinds if isinstance(kinds, str) else " or ".join(kinds))
    if "items" in schema:
        said += f" of {_type(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), Mapping):
        said += f" of {_type(schema['additionalProperties'])}"
    bounds = [f"{name} <code>{escape(str(schema[name]))}</code>" for name in _BOUNDS if name in schema]
    return ", ".join((said, *bounds))


def _table(rows: list[tuple[str, str, str]]) -> str:
    cells = "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>\n" for row in rows)
    return f"<table>\n{cells}</table>\n" if rows else ""


def _text(text: str) -> str:
    """Returns a sentence with what is between backquotes as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))
