"""All that is wrong with a request, found together, so that its sender mends it at once. Knows no fields."""

from ingate.errors import BadRequest

MOST = 16
"""Faults that a refusal names; as many as the checks of messages do."""


class Faults:
    """Collects what does not fit, by the names of fields on the wire."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}

    def add(self, error: BadRequest) -> None:
        """Adds an error of fields. Raises it where it is one of the whole; all, where they are enough."""
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
