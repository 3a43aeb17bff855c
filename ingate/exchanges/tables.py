"""The table of exchanges, wide on purpose: one insert an exchange, no join to list them; and what goes with it."""

from sqlalchemy import BigInteger, Boolean, Float, ForeignKey, Index, Integer, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from ingate.db import Base

MAX_NAME = 256
"""Characters of the names of models, providers and people, and of what providers call their answers."""


def _where_present(column: str) -> Index:
    """Returns an index for a column that most rows leave empty, in the order of lists; such rows cost it nothing."""
    present = text(f"{column} IS NOT NULL")
    name = f"ix_exchanges_org_id_{column}_created_at_id"
    return Index(name, "org_id", column, "created_at", "id", sqlite_where=present, postgresql_where=present)


class Exchange(Base):
    """An exchange. Enumerations are stored by number, costs in picodollars (exact for every published price).

    `attempts`, `meta`, `tags`, `units` and the headers hold JSON text. The payload stands last, so that reading the
    columns before it does not read its pages.
    """

    __tablename__ = "exchanges"
    __table_args__ = (
        Index("ix_exchanges_org_id_created_at_id", "org_id", "created_at", "id"),
        _where_present("session_id"),
        _where_present("user_id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    org_id: Mapped[str] = mapped_column(String(36))
    created_at: Mapped[int] = mapped_column(BigInteger)
    source: Mapped[int] = mapped_column(Integer)
    provider: Mapped[str] = mapped_column(String(MAX_NAME))
    served_by: Mapped[str] = mapped_column(String(MAX_NAME))
    model: Mapped[str] = mapped_column(String(MAX_NAME))
    method: Mapped[str] = mapped_column(String(32))
    path: Mapped[str] = mapped_column(Text)
    status_code: Mapped[int] = mapped_column(Integer)
    level: Mapped[int] = mapped_column(Integer)
    error_code: Mapped[str | None] = mapped_column(String(64))
    stream: Mapped[bool] = mapped_column(Boolean)
    latency_ms: Mapped[float] = mapped_column(Float)
    ttft_ms: Mapped[float | None] = mapped_column(Float)
    input_tokens: Mapped[int | None] = mapped_column(BigInteger)
    output_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cache_read_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cache_write_tokens: Mapped[int | None] = mapped_column(BigInteger)
    reasoning_tokens: Mapped[int | None] = mapped_column(BigInteger)
    total_tokens: Mapped[int | None] = mapped_column(BigInteger)
    cost_pico: Mapped[int | None] = mapped_column(BigInteger)
    cache: Mapped[int] = mapped_column(Integer)
    attempts: Mapped[str] = mapped_column(Text)
    user_id: Mapped[str | None] = mapped_column(String(MAX_NAME))
    session_id: Mapped[str | None] = mapped_column(String(MAX_NAME))
    key_id: Mapped[str] = mapped_column(String(36))
    app_id: Mapped[str | None] = mapped_column(String(64))
    team_id: Mapped[str | None] = mapped_column(String(64))
    prompt: Mapped[str | None] = mapped_column(Text)
    completion: Mapped[str | None] = mapped_column(Text)
    meta: Mapped[str] = mapped_column(Text)
    tags: Mapped[str] = mapped_column(Text)
    units: Mapped[str] = mapped_column(Text, server_default="{}")
    cost_source: Mapped[int] = mapped_column(Integer, server_default="0")
    usage_source: Mapped[int] = mapped_column(Integer, server_default="0")
    error_message: Mapped[str | None] = mapped_column(Text)
    truncated: Mapped[bool] = mapped_column(Boolean)
    request_headers: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    request_body: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    response_headers: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    response_body: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)


class CountedAnswer(Base):
    """Which exchange counts the usage of an answer that states it whenever it is asked for.

    `answer_id` is the provider's. `stored_at` bounds how long it is kept.
    """

    __tablename__ = "counted_answers"

    org_id: Mapped[str] = mapped_column(String(36), ForeignKey("orgs.id", ondelete="CASCADE"), primary_key=True)
    provider: Mapped[str] = mapped_column(String(MAX_NAME), primary_key=True)
    answer_id: Mapped[str] = mapped_column(String(MAX_NAME), primary_key=True)
    exchange_id: Mapped[str] = mapped_column(String(36))
    stored_at: Mapped[int] = mapped_column(BigInteger, index=True)


class Arrival(Base):
    """What one transaction stored for one organisation: `ids` of exchanges, 16 bytes each, in order.

    No `number` is given out twice, whatever is deleted.
    """

    __tablename__ = "exchange_arrivals"
    __table_args__ = (
        Index("ix_exchange_arrivals_org_id_number", "org_id", "number"),
        {"sqlite_autoincrement": True},
    )

    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    org_id: Mapped[str] = mapped_column(String(36), ForeignKey("orgs.id", ondelete="CASCADE"))
    at: Mapped[int] = mapped_column(BigInteger, index=True)
    ids: Mapped[bytes] = mapped_column(LargeBinary)
