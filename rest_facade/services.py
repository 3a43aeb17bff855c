"""Finds rpcs by full name among the generated services. Knows descriptors, and nothing of servicers or HTTP."""

import importlib
import pkgutil
from collections.abc import Iterator
from functools import cache

from google.protobuf.descriptor import MethodDescriptor

from gen import ingate as generated


@cache
def methods() -> dict[str, MethodDescriptor]:
    """Returns every rpc by full name, such as `ingate.keys.v1.KeyService.GetKey`."""
    return {method.full_name: method for method in _methods()}


def method(full_name: str) -> MethodDescriptor:
    """Returns the rpc, or raises ValueError naming what is not there."""
    found = methods().get(full_name)
    if found is None:
        raise ValueError(f"no such rpc: {full_name}")
    return found


def _methods() -> Iterator[MethodDescriptor]:
    for module in pkgutil.walk_packages(generated.__path__, f"{generated.__name__}."):
        if module.name.endswith("_service_pb2"):
            file = importlib.import_module(module.name).DESCRIPTOR
            for service in file.services_by_name.values():
                yield from service.methods
