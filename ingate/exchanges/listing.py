"""The columns of exchanges as lists show them."""

from typing import Any

from sqlalchemy import ColumnElement, case, func, literal
from sqlalchemy.sql.elements import KeyedColumnElement

from ingate.exchanges.columns import BODIES
from ingate.exchanges.messages import LISTED_CHARACTERS, LISTED_TEXTS
from ingate.exchanges.tables import Exchange

LISTED_DOCUMENTS = {"attempts": "[]", "meta": "{}", "tags": "{}", "units": "{}"}
"""What a list shows of these where they are longer than the next number of characters."""
LISTED_DOCUMENT = 16 * 1024
NOT_IN_BASIC = LISTED_DOCUMENTS | {"prompt": None, "completion": None}
"""What the basic view shows of these."""


def _listed(column: KeyedColumnElement[Any]) -> ColumnElement[Any]:
    """Returns a column as lists show it, so that the database does not hand out what a page does not hold."""
    if column.name in LISTED_TEXTS:
        return func.substr(column, 1, LISTED_CHARACTERS + 1).label(column.name)
    if (blank := LISTED_DOCUMENTS.get(column.name)) is not None:
        return case((func.length(column) <= LISTED_DOCUMENT, column), else_=blank).label(column.name)
    return column


def _basic(column: KeyedColumnElement[Any]) -> ColumnElement[Any]:
    """Returns a column as the basic view shows it; what it leaves out is not read."""
    if column.name in NOT_IN_BASIC:
        return literal(NOT_IN_BASIC[column.name], column.type).label(column.name)
    return _listed(column)


_COLUMNS = [column for column in Exchange.__table__.columns if column.name not in BODIES]
LISTED = [_listed(column) for column in _COLUMNS]
BASIC = [_basic(column) for column in _COLUMNS]
