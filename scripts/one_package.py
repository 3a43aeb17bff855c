"""Builds a wheel that installs one package: `gen` and `rest_facade` are put below `ingate`, their imports follow.

A build hook of hatchling: pyproject.toml says, in `tool.hatch.build.targets.wheel`, which directory goes where.
This rewrites the names in the modules, whose lines keep their numbers. Editable installs are left alone.
"""

import ast
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HOME = "ingate"
MOVED = ("gen", "rest_facade")
# Settings name the function that checks them, as "package.module:function".
REFERENCE = re.compile(rf"(?:{'|'.join(MOVED)})(?:\.\w+)+(?::\w+)?")


class OnePackage(BuildHookInterface):
    """Has hatchling take rewritten copies of the modules that name a moved package."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Writes the copies and adds them to `build_data`; `version` is "standard" or "editable"."""
        if version == "editable":
            return
        self._copies = tempfile.TemporaryDirectory()
        for file in self.build_config.builder.recurse_selected_project_files():
            path = Path(file.path)
            if path.suffix not in {".py", ".pyi"}:
                continue
            source = path.read_bytes()
            rewritten = relocated(source, file.relative_path)
            if rewritten != source:
                copy = Path(self._copies.name, file.distribution_path)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(rewritten)
                build_data["force_include"][str(copy)] = file.distribution_path

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Deletes the copies."""
        if version != "editable":
            self._copies.cleanup()


def relocated(source: bytes, name: str) -> bytes:
    """Returns a module's source with `ingate.` before each mention of a moved package; `name` is for errors.

    Raises ValueError for `import gen`, which would bind another name than before.
    """
    lines = source.splitlines(keepends=True)
    places = sorted({place for node in ast.walk(ast.parse(source)) for place in _mentions(node, lines, name)})
    for line, column in reversed(places):
        lines[line] = lines[line][:column] + f"{HOME}.".encode() + lines[line][column:]
    return b"".join(lines)


def _mentions(node: ast.AST, lines: list[bytes], name: str) -> Iterator[tuple[int, int]]:
    """Yields index of line and column, in bytes, of each moved package that `node` itself names."""
    match node:
        case ast.ImportFrom(module=str(module), level=0) if _moved(module):
            yield _place(node, module, lines)
        case ast.Import():
            for alias in node.names:
                if _moved(alias.name):
                    if alias.asname is None:
                        raise ValueError(f"{name}:{alias.lineno}: import {alias.name} needs `as` or `from`")
                    yield _place(alias, alias.name, lines)
        case ast.Constant(value=str(text)) if REFERENCE.fullmatch(text):
            yield _place(node, text, lines)


def _moved(module: str) -> bool:
    return module.partition(".")[0] in MOVED


def _place(node: ast.ImportFrom | ast.alias | ast.Constant, text: str, lines: list[bytes]) -> tuple[int, int]:
    index = node.lineno - 1
    return index, lines[index].index(text.encode(), node.col_offset)
