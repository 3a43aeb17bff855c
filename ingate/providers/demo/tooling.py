"""Checks on tools that every wire format makes alike. Knows the model's tools, not how a format writes them."""

from ingate.providers.demo.calling import Tool
from ingate.providers.demo.fields import Fault, invalid

MOST_TOOLS = 512


def offered(tools: list[Tool], field: str) -> tuple[Tool, ...]:
    """Returns the tools, if they are few enough and no two that can be called share a name. Raises `Fault`."""
    if len(tools) > MOST_TOOLS:
        raise invalid(field, f"at most {MOST_TOOLS} tools")
    own = [tool.name for tool in tools if not tool.hosted]
    if len(set(own)) < len(own):
        raise Fault(400, f"Invalid value for '{field}': tool names must be unique.", "invalid_value", field)
    return tuple(tools)


def forced(tools: tuple[Tool, ...], names: list[str], field: str) -> tuple[str, ...]:
    """Returns the names a choice forces, if there are tools and each name is one's. Raises `Fault`."""
    if not tools:
        raise invalid(field, "no forced choice where there are no tools")
    known = {tool.name for tool in tools}
    if not known.issuperset(names):
        raise invalid(field, "the name of one of the tools")
    return tuple(names)
