"""Collects all faults of a request, so that one answer names them. Knows no particular fields."""

from ingate.errors import BadRequest

MOST = 16
"""Faults that a refusal names at most; the checks of messages have the same bound."""


class Faults:
    """Problems by the names of fields on the wire."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}

    def add(self, error: BadRequest) -> None:
        """Adds an error of fields. Raises BadRequest for an error without fields, and when there are `MOST` faults."""
        if not error.fields:
            raise error
        for name, problem in error.fields.items():
            self.fields.setdefault(name, problem)
        if len(self.fields) >= MOST:
            self.refuse()

    def refuse(self) -> None:
        """Raises BadRequest naming what was found, if anything was; the message is the first."""
        for name, problem in self.fields.items():
            raise BadRequest(f"{name} {problem}", fields=self.fields)
