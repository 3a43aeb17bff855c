"""The table of providers."""

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from ingate.db import Base


class Provider(Base):
    """A provider of an organisation. `sealed_key` is the vault's form of its credential."""

    __tablename__ = "providers"

    org_id: Mapped[str] = mapped_column(String(36), ForeignKey("orgs.id", ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(String(63), primary_key=True)
    type: Mapped[int] = mapped_column(Integer)
    base_url: Mapped[str] = mapped_column(String(2048))
    auth_mode: Mapped[int] = mapped_column(Integer)
    sealed_key: Mapped[bytes | None] = mapped_column(LargeBinary)
    auth_header: Mapped[str] = mapped_column(String(128))
    auth_format: Mapped[str] = mapped_column(String(256))
    is_default: Mapped[bool] = mapped_column(Boolean)
    enabled: Mapped[bool] = mapped_column(Boolean)
    timeout_ms: Mapped[int] = mapped_column(Integer)
    models: Mapped[list[str]] = mapped_column(JSON)
    headers: Mapped[dict[str, str]] = mapped_column(JSON)
    created_at: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[int] = mapped_column(BigInteger)
