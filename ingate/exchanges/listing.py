"""The columns of exchanges as lists show them."""

from typing import Any

from sqlalchemy import ColumnElement, case, func
from sqlalchemy.sql.elements import KeyedColumnElement

from ingate.exchanges.columns import BODIES
from ingate.exchanges.messages import LISTED_CHARACTERS, LISTED_TEXTS
from ingate.exchanges.tables import Exchange

LISTED_DOCUMENTS = {"attempts": "[]", "meta": "{}", "tags": "{}"}
"""What a list shows of these where they are longer than the next number of characters."""
LISTED_DOCUMENT = 16 * 1024


def _listed(column: KeyedColumnElement[Any]) -> ColumnElement[Any]:
    """Returns a column as lists show it, so that the database does not hand out what a page does not hold."""
    if column.name in LISTED_TEXTS:
        return func.substr(column, 1, LISTED_CHARACTERS + 1).label(column.name)
    if (blank := LISTED_DOCUMENTS.get(column.name)) is not None:
        return case((func.length(column) <= LISTED_DOCUMENT, column), else_=blank).label(column.name)
    return column


LISTED = [_listed(column) for column in Exchange.__table__.columns if column.name not in BODIES]
