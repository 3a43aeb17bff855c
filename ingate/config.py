"""Settings: what they are, what they may be, and which are secret.

Each field of `Settings` is a setting. Knows neither where settings are stated (`ingate.setting_sources`) nor what they
are used for.
"""

from typing import Annotated, Any, Literal, get_type_hints

import msgspec

ENVIRONMENT_PREFIX = "INGATE_"
MASK = "***"
_CREDENTIAL = "ingate.setting_values:credential"
_BASE_URL = "ingate.proxy.base_urls:checked"


def _setting(
    description: str, *, secret: bool = False, env: str | None = None, check: str = "", **bounds: Any
) -> msgspec.Meta:
    """Describes a setting. `check` names the function, as `module:name`, that raises BadRequest for a wrong value."""
    return msgspec.Meta(description=description, extra={"secret": secret, "env": env, "check": check}, **bounds)


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The effective settings of a process."""

    host: Annotated[str, _setting("Address the HTTP port listens on.")] = "127.0.0.1"
    port: Annotated[int, _setting("HTTP port; 0 picks a free one.", ge=0, le=65535)] = 8080
    grpc_port: Annotated[int, _setting("gRPC port; 0 picks a free one.", ge=0, le=65535)] = 50051
    tls_cert: Annotated[
        str, _setting("File of the certificate chain, PEM, with which the HTTP port speaks TLS; with `tls_key`.")
    ] = ""
    tls_key: Annotated[str, _setting("File of the private key of `tls_cert`, PEM, without a password.")] = ""
    grpc_tls_cert: Annotated[
        str, _setting("File of the certificate chain, PEM, with which the gRPC port speaks TLS; with `grpc_tls_key`.")
    ] = ""
    grpc_tls_key: Annotated[str, _setting("File of the private key of `grpc_tls_cert`, PEM, without a password.")] = ""
    data_dir: Annotated[str, _setting("Directory of the embedded database, the journal and the master key.")] = "data"
    database_url: Annotated[
        str,
        _setting(
            "URL of the database, `postgresql://…` as hosts print it; empty for SQLite in the data directory.",
            secret=True,
            check="ingate.db_url:parse",
        ),
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
        str,
        _setting(
            "Key for secrets at rest, 32 bytes in base64; made in the data directory if empty.",
            secret=True,
            check="ingate.vault:decode_master_key",
        ),
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
            check="ingate.setting_values:slugs",
        ),
    ] = "first"
    session_hours: Annotated[int, _setting("Hours until a session ends by itself.", ge=1, le=8760)] = 24
    allow_private_upstreams: Annotated[
        Literal["auto", "yes", "no"],
        _setting("Whether providers may have private addresses; auto allows loopback, with the embedded database."),
    ] = "auto"
    ssrf_allowed_hosts: Annotated[
        str,
        _setting(
            "Hosts, addresses and networks that providers may have whatever they are, separated by commas.",
            check="ingate.net.addresses:hosts_and_networks",
        ),
    ] = ""
    dialects: Annotated[
        str,
        _setting(
            "APIs that the HTTP port speaks, by name, separated by commas: `ingate`, `ongoingai`. The first has the"
            " paths that none claims.",
            check="rest_facade.dialects.mounted:names",
        ),
    ] = "ingate"
    ongoingai_openai_upstream: Annotated[
        str,
        _setting("Base URL of what is behind `/openai` in the dialect `ongoingai`.", check=_BASE_URL),
    ] = "https://api.openai.com"
    ongoingai_anthropic_upstream: Annotated[
        str,
        _setting("Base URL of what is behind `/anthropic` in the dialect `ongoingai`.", check=_BASE_URL),
    ] = "https://api.anthropic.com"
    ongoingai_auth: Annotated[
        bool, _setting("Whether calls in the dialect `ongoingai` need a key; without, anybody calls providers.")
    ] = True
    ongoingai_auth_header: Annotated[
        str,
        _setting(
            "Header in which the dialect `ongoingai` takes its keys.",
            check="rest_facade.dialects.ongoingai:key_header",
        ),
    ] = "X-OngoingAI-Gateway-Key"
    ongoingai_org: Annotated[
        str,
        _setting(
            "Organisation, by slug, on whose record calls without a key land, and of `ongoingai_keys` that name none."
        ),
    ] = ""
    ongoingai_keys: Annotated[
        str,
        _setting(
            "Keys of the dialect `ongoingai`, a JSON list of objects with `id` and `token`, and `org_id` (a slug),"
            " `workspace_id`, `team`, `name`, `description`, `role` and `permissions` where they matter.",
            secret=True,
            check="rest_facade.dialects.ongoingai_key_settings:stated",
        ),
    ] = ""
    cors_origins: Annotated[
        str,
        _setting(
            "Origins whose pages may call the API and the proxy and read the answers: `https://app.example`, separated"
            " by commas, or `*` for all; empty for none.",
            check="rest_facade.cors:from_setting",
        ),
    ] = ""
    trusted_proxies: Annotated[
        str,
        _setting(
            "Addresses and networks of proxies before the gateway, separated by commas: what they say of a caller's"
            " address in `Forwarded` or `X-Forwarded-For` is believed.",
            check="ingate.net.forwarded:trusted_proxies",
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
    log_format: Annotated[
        Literal["auto", "json", "text"], _setting("Form of log lines; auto is text on a terminal, else JSON.")
    ] = "auto"
    log_calls: Annotated[
        int,
        _setting(
            "Log lines in a second about proxied calls that went well, and as many about others; 0 writes none.", ge=0
        ),
    ] = 50
    gateway_token: Annotated[
        str,
        _setting("Token that gateways share with the core; made at start if empty.", secret=True, check=_CREDENTIAL),
    ] = ""
    openai_api_key: Annotated[
        str,
        _setting("OpenAI credential of the installation.", secret=True, env="OPENAI_API_KEY", check=_CREDENTIAL),
    ] = ""
    anthropic_api_key: Annotated[
        str,
        _setting("Anthropic credential of the installation.", secret=True, env="ANTHROPIC_API_KEY", check=_CREDENTIAL),
    ] = ""
    gemini_api_key: Annotated[
        str,
        _setting("Gemini credential of the installation.", secret=True, env="GEMINI_API_KEY", check=_CREDENTIAL),
    ] = ""
    ollama_host: Annotated[
        str, _setting("Ollama server of the installation.", env="OLLAMA_HOST", check="ingate.setting_values:server")
    ] = ""


class Setting(msgspec.Struct, frozen=True):
    """One setting, for command lines and documents. `choices` are empty where any value of the type will do."""

    name: str
    type: type
    choices: tuple[str, ...]
    least: float | None
    above: float | None
    most: float | None
    check: str
    default: Any
    description: str
    secret: bool
    env: str

    @property
    def flag(self) -> str:
        """The option of the command line."""
        return "--" + self.name.replace("_", "-")


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
                least=meta.ge,
                above=meta.gt,
                most=meta.le,
                check=extra["check"],
                default=field.default,
                description=meta.description or "",
                secret=extra["secret"],
                env=extra["env"] or ENVIRONMENT_PREFIX + field.name.upper(),
            )
        )
    return settings


def masked(settings: Settings) -> dict[str, Any]:
    """Returns the settings as a dict, with each secret that is set shown as `***`."""
    values = msgspec.structs.asdict(settings)
    for setting in catalogue():
        if setting.secret and values[setting.name]:
            values[setting.name] = MASK
    return values
