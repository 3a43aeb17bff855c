"""What the gateway is compared with: a bare reverse proxy that runs. Knows no program."""

from dataclasses import dataclass

from tests.support.process import Child


@dataclass(frozen=True, slots=True)
class Proxy:
    """A reverse proxy before the provider."""

    child: Child
    url: str
