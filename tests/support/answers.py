"""Answers of vendors as they are on the wire, each with what must be read of it: see the README beside them."""

import json
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gen.ingate.providers.v1.provider_pb2 import ProviderType
from ingate import clock
from ingate.formats import INCOMPLETE, ResponseFacts, Usage, cloud_of, completed, detect, path_model
from ingate.pricing import Bill, Source
from ingate.pricing.usage import STATED_COST
from ingate.provider_types import KINDS
from tests.support import event_stream
from tests.support.recordings import JSON, NDJSON, SSE

DIRECTORY = Path(__file__).parents[1] / "unit" / "formats" / "answers"
USUAL_MOMENT = datetime(2026, 11, 1, 12, tzinfo=UTC)
_MEDIA = {".json": JSON, ".sse": SSE, ".ndjson": NDJSON, ".frames": event_stream.MEDIA}
_BOUNDARY = "----b0undary"
_FACTS = ("model", "completion", "finish_reason", "error")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a vendor and what is expected of it; `facts` and `bill` are all that there is to learn.

    `type` is the provider type as settings name it, `base_url` empty where the type has its own. `at` is when it was
    answered, in microseconds. `request` is the body that was sent by `method`, a form where `form` has its fields.
    `headers` are those of the answer beside its media type. `failure` is what failed although the status
    says that all is well. `stated` tells whether the provider states a cost.
    """

    name: str
    path: str
    type: str
    base_url: str
    at: int
    media: str
    headers: dict[str, str]
    body: bytes
    method: str
    form: dict[str, str]
    request: bytes
    prompt: str | None
    facts: ResponseFacts
    failure: str | None
    bill: Bill

    @property
    def format(self):
        """The format that its path speaks."""
        return detect(self.path.partition("?")[0])

    @property
    def stream(self):
        """Tells whether it came in pieces."""
        return self.media in (SSE, NDJSON, event_stream.MEDIA)

    @property
    def asked(self):
        """The model that the request names, in its body or its path; empty where it names none."""
        path = path_model(self.format, self.path.partition("?")[0])
        return path or self.form.get("model") or (not self.form and json.loads(self.request).get("model")) or ""

    @property
    def content_type(self):
        """The media type of the request."""
        return f"multipart/form-data; boundary={_BOUNDARY}" if self.form else JSON

    def learned(self, facts):
        """Returns what the answer says, and its request and headers with it."""
        if self.format not in INCOMPLETE:
            return facts
        return completed(
            self.format, facts, succeeded=True, asked=self.asked, prompt=self.prompt, headers=lambda: self.headers
        )

    @property
    def stated(self):
        """The dollars that the provider itself states, None where it states no cost."""
        return dict(self.facts.terms).get(STATED_COST)

    @property
    def listed_provider(self):
        """The provider of the price list that the path or the type stands for; empty where the address decides."""
        return (
            cloud_of(self.format, self.path)
            or KINDS[ProviderType.Value(f"PROVIDER_TYPE_{self.type.replace('-', '_').upper()}")].price_provider
        )

    @property
    def price_provider(self):
        """Whose prices apply: a provider of the list, or the base URL to find it by."""
        return self.listed_provider or self.base_url


def load(expectation):
    """Returns the Answer of a TOML file; its body is in the file of the same name. Raises ValueError for odd keys."""
    said = tomllib.loads(expectation.read_text(encoding="utf-8"))
    [body] = [file for file in expectation.parent.glob(f"{expectation.stem}.*") if file != expectation]
    cost = said.pop("cost", None)
    # An unknown cost has the source "unknown", a known one that of the list unless the file says otherwise.
    source = Source(said.pop("cost_source", Source.LIST if cost is not None else Source.UNKNOWN))
    answer = Answer(
        name=f"{expectation.parent.name}/{expectation.stem}",
        path=said.pop("path"),
        type=said.pop("provider"),
        base_url=said.pop("base_url", ""),
        at=int(said.pop("at", USUAL_MOMENT).timestamp()) * clock.SECOND,
        media=said.pop("media", None) or _MEDIA[body.suffix],
        headers=said.pop("headers", {}),
        body=event_stream.encoded(body.read_text(encoding="utf-8")) if body.suffix == ".frames" else body.read_bytes(),
        method=said.pop("method", "POST"),
        form=said.get("form", {}),
        request=_form(said.pop("form")) if "form" in said else json.dumps(said.pop("request", {})).encode(),
        prompt=said.pop("prompt", None),
        facts=ResponseFacts(
            **{name: said.pop(name, None) for name in _FACTS},
            usage=Usage(**said.pop("usage", {})),
            units=tuple(said.pop("units", {}).items()),
            terms=tuple(said.pop("terms", {}).items()),
            complete=said.pop("complete", True),
            tool_calls=said.pop("tool_calls", 0),
            unkept=said.pop("unkept", 0),
        ),
        failure=said.pop("failure", None),
        bill=Bill(cost, source, said.pop("cost_reason", None)),
    )
    if said:
        raise ValueError(f"{expectation} has keys that mean nothing: {', '.join(said)}")
    return answer


def _form(fields):
    """Returns a multipart body: a recording first, then the fields."""
    parts = ['name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\nRIFF\x00\x01']
    parts += [f'name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
    body = "".join(f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {part}\r\n" for part in parts)
    return f"{body}--{_BOUNDARY}--\r\n".encode()


ANSWERS = [load(file) for file in sorted(DIRECTORY.glob("*/*.toml"))]
