"""The two spellings Google's JSON accepts for a field: camelCase, and snake_case as in the protos."""

import re

from ingate.providers.demo.fields import JsonObject

_SNAKE = re.compile(r"_([a-z])")


def camel(members: JsonObject) -> JsonObject:
    """Returns the object with snake_case member names in camelCase; its values are untouched."""
    if not any("_" in key for key in members):
        return members
    return {_SNAKE.sub(lambda found: found[1].upper(), key): value for key, value in members.items()}
