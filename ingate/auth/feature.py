"""What signing up and in adds to a process."""

from ingate.auth.doors import Doors
from ingate.auth.passwords import Passwords
from ingate.auth.servicer import AuthServicer
from ingate.feature import Feature, Parts


def _servicer(parts: Parts) -> AuthServicer:
    passwords = Passwords()
    parts.closing.callback(passwords.close)
    return AuthServicer(
        parts.database,
        passwords,
        Doors(parts.database, parts.settings.signup),
        default_plan=parts.settings.default_plan,
        session_hours=parts.settings.session_hours,
    )


FEATURE = Feature(
    servicers={"ingate.auth.v1.AuthService": _servicer},
    settings=frozenset({"default_plan", "session_hours", "signup"}),
)
