"""Whose API a proxied path belongs to, so that what the gateway refuses is told in its words. Pure."""

from ingate.formats import VENDORS, Vendor, detect
from ingate.proxy.plan import vendor_of
from ingate.proxy.ports import Headers

_OLLAMA_ROOT = "/api/"


def vendor(path: str, headers: Headers) -> Vendor | None:
    """Returns whose API a raw path belongs to, as it and the headers tell; None for one that is nobody's."""
    found = VENDORS.get(detect(path)) or vendor_of(path, headers)
    return found or (Vendor.OLLAMA if path.startswith(_OLLAMA_ROOT) else None)
