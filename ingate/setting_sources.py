"""Where settings are stated: on the command line, in the environment, in a file.

`--some-name` wins over `INGATE_SOME_NAME`, that over `some_name` in `ingate.toml`, that over the default. What is empty
states nothing. Whatever is wrong is named as it was written: the option, the variable, or the file and its line.
"""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ingate.config import ENVIRONMENT_PREFIX, Setting, Settings, catalogue
from ingate.errors import BadRequest
from ingate.setting_values import Unfit, read

CONFIG_FILE = "ingate.toml"
LONGEST_SHOWN = 100
_CREDENTIALS = re.compile(r"//[^/\s]*@")
_PAIRS = (("tls_cert", "tls_key"), ("grpc_tls_cert", "grpc_tls_key"))
_KUBERNETES = re.compile(r"INGATE_(SERVICE_(HOST|PORT).*|PORT_\d+_.*|GRPC_(SERVICE|PORT_\d+).*)")
"""What Kubernetes puts into the environment of pods for a Service of the name `ingate` or `ingate-grpc`."""


class Stated(NamedTuple):
    """What is stated of a setting, how the place is called (`INGATE_PORT=`), and where more words help."""

    written: Any
    place: str
    hint: str = ""


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    file: Path | None = None,
) -> Settings:
    """Returns the settings of flags, environment, file and defaults, in that order of precedence.

    `file` must exist when given; else `ingate.toml` in the working directory is read where it exists.
    Raises BadRequest naming the place of what is unknown or wrong, its value unless it is a secret, and what would do.
    """
    settings = {setting.name: setting for setting in catalogue()}
    stated = _of_file(file, settings)
    for name, setting in settings.items():
        if (text := environ.get(setting.env, "")).strip():
            stated[name] = Stated(text, f"{setting.env}=", _hint(setting, text))
        if (flag := (flags or {}).get(name)) is not None and (not isinstance(flag, str) or flag.strip()):
            stated[name] = Stated(flag, f"{setting.flag}=")
    values = {name: _value(settings[name], one) for name, one in stated.items()}
    for one, other in _PAIRS:
        if bool(values.get(one)) is not bool(values.get(other)):
            there, missing = (one, other) if values.get(one) else (other, one)
            place = stated[there].place.rstrip("= ")
            raise BadRequest.field(missing, f"must be stated beside {there} ({place})")
    return Settings(**values)


def unknown_variables(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Returns a sentence for each variable that looks like a setting and is none, with the nearest that is one."""
    known = [setting.env for setting in catalogue()]
    return [
        f"{name} is no setting{_nearest(name, known)}"
        for name in sorted(environ)
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known and not _KUBERNETES.fullmatch(name)
    ]


def _of_file(file: Path | None, settings: Mapping[str, Setting]) -> dict[str, Stated]:
    path = file or Path(CONFIG_FILE)
    if file is None and not path.exists():
        return {}
    try:
        text = path.read_text()
        values = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise BadRequest(f"cannot read {path}: {reason}") from None
    stated = {}
    for name, written in values.items():
        place = f"{path} line {_line(text, name)}: "
        if name not in settings:
            raise BadRequest(f"{place}{_shown(name)} is no setting{_nearest(name, list(settings))}")
        if written != "":
            stated[name] = Stated(written, f"{place}{name} = ")
    return stated


def _line(text: str, name: str) -> int:
    """Returns the number of the first line that states a name, or opens a table that it begins with."""
    key = re.compile(rf"""\s*\[*\s*["']?{re.escape(name)}["']?\s*[=.\]]""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if key.match(line)), 1)


def _value(setting: Setting, stated: Stated) -> Any:
    try:
        return read(setting, stated.written)
    except Unfit as error:
        place = stated.place.rstrip("= ") if setting.secret else stated.place + _shown(stated.written)
        raise BadRequest(f"{place} {error}{stated.hint}", fields={setting.name: str(error)}) from None


def _shown(written: Any) -> str:
    text = _CREDENTIALS.sub("//***@", json.dumps(written, default=str, ensure_ascii=False))
    text = "".join(character if character.isprintable() else "\ufffd" for character in text)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"


def _hint(setting: Setting, text: str) -> str:
    if setting.env not in {"INGATE_PORT", "INGATE_GRPC_PORT"} or not text.startswith("tcp://"):
        return ""
    return " (Kubernetes sets it for a Service of that name: set enableServiceLinks to false in the pod)"


def _nearest(name: str, known: list[str]) -> str:
    words = {one.upper().removeprefix(ENVIRONMENT_PREFIX): one for one in known}
    found = difflib.get_close_matches(name.upper().removeprefix(ENVIRONMENT_PREFIX), words, n=1)
    return f"; do you mean {words[found[0]]}?" if found else ""
