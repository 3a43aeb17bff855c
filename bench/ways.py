"""The ways from a caller to the provider, each of which is measured in its turn. Knows no load."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import envoy, gateway, nginx
from bench.gateway import Gateway
from tests.support.process import Child


@dataclass(frozen=True, slots=True)
class Way:
    """What a load is sent to. `settle` waits for what there is to do before the time that it took is read."""

    name: str
    child: Child
    url: str
    key: str
    settle: Callable[[], None]
    gateway: Gateway | None = None

    @property
    def address(self) -> str:
        """Host and port."""
        return self.url.removeprefix("http://")


@contextmanager
def gateways(
    directory: Path, upstream: str, *, beside: Path | None = None, profile: Path | None = None
) -> Iterator[dict[str, Gateway]]:
    """Yields the gateway, and that of another checkout if `beside` is one. With `profile`, cProfile writes that file.

    `upstream` is host and port of the provider.
    """
    checkouts = {"gateway": None} if beside is None else {"gateway": None, "beside": beside}
    with ExitStack() as stack:
        running = {}
        for name, checkout in checkouts.items():
            dump = profile if checkout is None else None
            started = gateway.running(directory / name, f"http://{upstream}", checkout=checkout, profile=dump)
            running[name] = stack.enter_context(started)
        yield running


@contextmanager
def all_ways(
    directory: Path,
    upstream: str,
    *,
    beside: Path | None = None,
    profile: Path | None = None,
    buffering: bool = True,
) -> Iterator[list[Way]]:
    """Yields the ways through these gateways and through bare proxies.

    `buffering` tells whether nginx may gather answers.
    """
    with ExitStack() as stack:
        ours = stack.enter_context(gateways(directory, upstream, beside=beside, profile=profile))
        ways = [Way(name, it.child, it.url, it.key, it.settle, it) for name, it in ours.items()]
        bare = {"nginx": stack.enter_context(nginx.proxy(directory / "nginx", upstream, buffering=buffering))}
        if envoy.path() is not None:
            bare["envoy"] = stack.enter_context(envoy.proxy(directory / "envoy", upstream))
        yield ways + [Way(name, it.child, it.url, "none", _nothing) for name, it in bare.items()]


def _nothing() -> None:
    """What there is to wait for where nothing is recorded."""
