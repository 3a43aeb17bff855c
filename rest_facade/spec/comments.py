"""The comments of the protos, by the full name of what they describe."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet

from gen import ingate as generated

DESCRIPTOR_SET = Path(generated.__path__[0]).with_name("ingate.binpb")


@cache
def comments() -> dict[str, str]:
    """Returns full name → comment, for services, rpcs, messages, fields and enum values."""
    files = FileDescriptorSet.FromString(DESCRIPTOR_SET.read_bytes())
    found: dict[str, str] = {}
    for file in files.file:
        if not file.package.startswith("ingate."):
            continue
        names = dict(_names(file))
        for location in file.source_code_info.location:
            name = names.get(tuple(location.path))
            if name and location.leading_comments:
                found[name] = _tidy(location.leading_comments)
    return found


def _tidy(comment: str) -> str:
    paragraphs = comment.strip().split("\n\n")
    return "\n\n".join(" ".join(line.strip() for line in paragraph.splitlines()) for paragraph in paragraphs)


def _names(file: FileDescriptorProto) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yields source path → full name; the numbers are those of descriptor.proto's fields."""
    for index, message in enumerate(file.message_type):
        yield from _message_names(message, (4, index), f"{file.package}.{message.name}")
    for index, enum in enumerate(file.enum_type):
        yield (5, index), f"{file.package}.{enum.name}"
        for place, value in enumerate(enum.value):
            yield (5, index, 2, place), f"{file.package}.{enum.name}.{value.name}"
    for index, service in enumerate(file.service):
        yield (6, index), f"{file.package}.{service.name}"
        for place, method in enumerate(service.method):
            yield (6, index, 2, place), f"{file.package}.{service.name}.{method.name}"


def _message_names(message: DescriptorProto, path: tuple[int, ...], name: str) -> Iterator[tuple[tuple[int, ...], str]]:
    yield path, name
    for index, field in enumerate(message.field):
        yield (*path, 2, index), f"{name}.{field.name}"
    for index, child in enumerate(message.nested_type):
        yield from _message_names(child, (*path, 3, index), f"{name}.{child.name}")
