"""Settings: what they are, where they come from, and which are secret.

Each field of `Settings` is a setting: `--some-name` on the command line, `INGATE_SOME_NAME` in the
environment, `some_name` in `ingate.toml`; the first of these that states it wins over the default.
Knows nothing of what the settings are used for.
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec

from ingate.errors import BadRequest

ENVIRONMENT_PREFIX = "INGATE_"
CONFIG_FILE = "ingate.toml"
MASK = "***"


def _setting(description: str, *, secret: bool = False, env: str | None = None, **bounds: Any) -> msgspec.Meta:
    return msgspec.Meta(description=description, extra={"secret": secret, "env": env}, **bounds)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The effective settings of a process."""

    host: Annotated[str, _setting("Address the HTTP port listens on.")] = "127.0.0.1"
    port: Annotated[int, _setting("HTTP port; 0 picks a free one.", ge=0, le=65535)] = 8080
    grpc_port: Annotated[int, _setting("gRPC port; 0 picks a free one.", ge=0, le=65535)] = 50051
    data_dir: Annotated[str, _setting("Directory of the embedded database, the journal and the master key.")] = "data"
    database_url: Annotated[
        str,
        _setting("SQLAlchemy URL (`postgresql+asyncpg://…`); empty for SQLite in the data directory.", secret=True),
    ] = ""
    database_pool: Annotated[int, _setting("Database connections at most.", ge=1, le=500)] = 10
    demo: Annotated[bool, _setting("Offer the built-in model, and create the organisation `demo` with a key.")] = False
    demo_traffic: Annotated[
        bool,
        _setting("Record a day of example traffic in the organisation `demo`, once; `ingate demo clear` deletes it."),
    ] = True
    demo_models: Annotated[
        str,
        _setting(
            "Names of other models that the built-in one answers for where no provider has them, separated by commas;"
            " `all` for every name."
        ),
    ] = ""
    default_plan: Annotated[Literal["free", "enterprise"], _setting("Plan of a new organisation.")] = "enterprise"
    rate_limit_free: Annotated[
        int, _setting("Requests a minute of a key on plan free that states no limit of its own.", ge=1, le=10_000_000)
    ] = 600
    rate_limit_enterprise: Annotated[
        int,
        _setting("Requests a minute of a key on plan enterprise that states no limit of its own.", ge=1, le=10_000_000),
    ] = 60_000
    master_key: Annotated[
        str, _setting("Key for secrets at rest, 32 bytes in base64; made in the data directory if empty.", secret=True)
    ] = ""
    signup: Annotated[
        Literal["first", "invite", "open", "closed"],
        _setting(
            "Who may sign up: `first` anyone until there is a person, `invite` who was invited, `open` anyone, `closed`"
            " nobody."
        ),
    ] = "first"
    shared_providers: Annotated[
        str,
        _setting(
            "Who reaches the installation's own providers beside its first organisation: `first` no other, `all`, or"
            " slugs, comma-separated.",
            pattern=r"^[a-z0-9-]{1,63}( *, *[a-z0-9-]{1,63}){0,999}$",
        ),
    ] = "first"
    session_hours: Annotated[int, _setting("Hours until a session ends by itself.", ge=1, le=8760)] = 24
    allow_private_upstreams: Annotated[
        Literal["auto", "", "yes", "no"],
        _setting(
            "Whether providers may have private addresses; auto (or empty) allows loopback, with the embedded database."
        ),
    ] = "auto"
    ssrf_allowed_hosts: Annotated[
        str,
        _setting("Hosts, addresses and networks that providers may have whatever they are, separated by commas."),
    ] = ""
    cors_origins: Annotated[
        str,
        _setting(
            "Origins whose pages may call the API and the proxy and read the answers: `https://app.example`, separated"
            " by commas, or `*` for all; empty for none."
        ),
    ] = ""
    trusted_proxies: Annotated[
        str,
        _setting(
            "Addresses and networks of proxies before the gateway, separated by commas: what they say of a caller's"
            " address in `Forwarded` or `X-Forwarded-For` is believed."
        ),
    ] = ""
    max_body_bytes: Annotated[int, _setting("Largest request body accepted.", ge=1024)] = 32 * 1024 * 1024
    max_management_bytes: Annotated[int, _setting("Largest body of a management call.", ge=1024)] = 256 * 1024
    max_inflight_bytes: Annotated[
        int, _setting("Bytes of all request bodies under way; at least one largest body fits.", ge=1024)
    ] = 128 * 1024 * 1024
    max_inflight_bytes_organisation: Annotated[int, _setting("The same for one organisation.", ge=1024)] = (
        64 * 1024 * 1024
    )
    max_inflight_bytes_address: Annotated[
        int, _setting("The same for one address, until a key is known to be good.", ge=1024)
    ] = 32 * 1024 * 1024
    max_answer_bytes: Annotated[
        int,
        _setting(
            "Bytes of answers under way that are kept to be recorded, half of them for one organisation; of more, the"
            " beginning is.",
            ge=0,
        ),
    ] = 32 * 1024 * 1024
    max_header_bytes: Annotated[int, _setting("Largest header block accepted.", ge=1024)] = 64 * 1024
    capture_bytes: Annotated[int, _setting("Bytes kept of each recorded body; 0 records no bodies.", ge=0)] = (
        1024 * 1024
    )
    on_disconnect: Annotated[
        Literal["drain", "cancel"],
        _setting("When a caller leaves early: read the provider's answer to its end for usage, or stop it."),
    ] = "drain"
    drain_seconds: Annotated[
        float, _setting("Seconds an abandoned answer is read for usage at most.", gt=0, le=86_400)
    ] = 60.0
    drain_bytes: Annotated[int, _setting("Bytes an abandoned answer is read for usage at most.", ge=0)] = (
        8 * 1024 * 1024
    )
    stream_usage: Annotated[
        Literal["ask", "leave"],
        _setting(
            "Streamed chats whose callers do not ask for usage: ask the provider for it and hide it from the caller, or"
            " leave them as they are."
        ),
    ] = "ask"
    shutdown_seconds: Annotated[
        float, _setting("Seconds open requests get to finish after SIGTERM.", ge=0, le=86_400)
    ] = 300.0
    connect_timeout: Annotated[float, _setting("Seconds to connect to a provider.", gt=0, le=86_400)] = 10.0
    idle_timeout: Annotated[float, _setting("Seconds between two reads of a provider's answer.", gt=0, le=86_400)] = (
        120.0
    )
    upstream_calls: Annotated[
        int,
        _setting("Calls to providers under way at a time; an organisation has three quarters at most.", ge=1),
    ] = 4096
    upstream_calls_per_origin: Annotated[
        int,
        _setting(
            "Of those, calls to one host and port; an organisation has three quarters, a key half at most.",
            ge=1,
        ),
    ] = 2048
    upstream_idle: Annotated[int, _setting("Idle connections to providers that are kept, those used last.", ge=0)] = (
        1024
    )
    journal_fsync: Annotated[bool, _setting("Flush the journal to disk before answers end, once for a few.")] = False
    journal_max_bytes: Annotated[int, _setting("Bytes the journal may hold.", ge=1024 * 1024)] = 1024**3
    when_unrecorded: Annotated[
        Literal["refuse", "serve"],
        _setting(
            "What becomes of calls that could not be recorded, for want of room or disk: 503, or served all the same."
        ),
    ] = "refuse"
    grant_seconds: Annotated[
        float, _setting("Seconds a gateway may serve from what it knows of a key while the core is away.", gt=0, le=300)
    ] = 30.0
    event_loop: Annotated[Literal["uvloop", "asyncio"], _setting("Event loop implementation.")] = "uvloop"
    log_level: Annotated[Literal["debug", "info", "warning", "error"], _setting("Least severe log line.")] = "info"
    gateway_token: Annotated[
        str, _setting("Token that gateways share with the core; made at start if empty.", secret=True)
    ] = ""
    openai_api_key: Annotated[
        str, _setting("OpenAI credential of the installation.", secret=True, env="OPENAI_API_KEY")
    ] = ""
    anthropic_api_key: Annotated[
        str, _setting("Anthropic credential of the installation.", secret=True, env="ANTHROPIC_API_KEY")
    ] = ""
    gemini_api_key: Annotated[
        str, _setting("Gemini credential of the installation.", secret=True, env="GEMINI_API_KEY")
    ] = ""
    ollama_host: Annotated[str, _setting("Ollama server of the installation.", env="OLLAMA_HOST")] = ""


class Setting(msgspec.Struct, frozen=True):
    """One setting, for command lines and documents."""

    name: str
    type: type
    choices: tuple[str, ...]
    default: Any
    description: str
    secret: bool
    env: str


def catalogue() -> list[Setting]:
    """Returns every setting in the order of `Settings`."""
    hints = get_type_hints(Settings, include_extras=True)
    plain = get_type_hints(Settings)
    settings = []
    for field in msgspec.structs.fields(Settings):
        meta: msgspec.Meta = hints[field.name].__metadata__[0]
        extra = meta.extra or {}
        choices = getattr(plain[field.name], "__args__", ())
        settings.append(
            Setting(
                name=field.name,
                type=str if choices else plain[field.name],
                choices=choices,
                default=field.default,
                description=meta.description or "",
                secret=extra["secret"],
                env=extra["env"] or ENVIRONMENT_PREFIX + field.name.upper(),
            )
        )
    return settings


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    file: Path | None = None,
) -> Settings:
    """Returns the settings of flags, environment, file and defaults, in that order of precedence.

    `file` must exist when given; else `ingate.toml` in the working directory is read where it exists.
    Raises BadRequest naming the setting that is unknown or out of bounds.
    """
    path = file or Path(CONFIG_FILE)
    values: dict[str, Any] = {}
    if file is not None or path.exists():
        try:
            values.update(tomllib.loads(path.read_text()))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadRequest(f"cannot read {path}: {error}") from None
    for setting in catalogue():
        if setting.env in environ:
            values[setting.name] = environ[setting.env]
    values.update({name: value for name, value in (flags or {}).items() if value is not None})
    try:
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(f"settings: {error}") from None


def masked(settings: Settings) -> dict[str, Any]:
    """Returns the settings as a dict, with each secret that is set shown as `***`."""
    values = msgspec.structs.asdict(settings)
    for setting in catalogue():
        if setting.secret and values[setting.name]:
            values[setting.name] = MASK
    return values
