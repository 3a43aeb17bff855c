"""Settings as command-line options: all of them, or those that a command has use for."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import click

from ingate.config import Setting, Settings, catalogue
from ingate.setting_sources import load, unknown_variables

_METAVARS = {int: "INTEGER", float: "NUMBER", str: "TEXT"}
DATABASE = frozenset({"data_dir", "database_url"})
"""What commands take that work on the database alone. The other settings hold for them too, from their other places."""


def settings_options(
    function: Callable[..., Any] | None = None, *, only: Collection[str] | None = None
) -> Callable[..., Any]:
    """Adds an option for each setting, or for `only` some, and `--config`; the command receives one `settings`.

    Values are read as those of the environment are, so that one that is wrong is told in the same way.
    """
    if function is None:
        return lambda decorated: settings_options(decorated, only=only)
    decorated = function
    settings = [setting for setting in catalogue() if only is None or setting.name in only]
    names = {setting.name for setting in settings}

    def with_settings(config: Path | None, **flags: Any) -> Any:
        own = {name: flags.pop(name) for name in list(flags) if name not in names}
        loaded = load(flags, file=config)
        _tell_unknown()
        return decorated(settings=loaded, **own)

    with_settings.__doc__ = function.__doc__
    with_settings.__name__ = function.__name__
    wrapped: Callable[..., Any] = with_settings
    for setting in reversed(settings):
        wrapped = _option(setting)(wrapped)
    file = click.Path(path_type=Path)
    return click.option("--config", type=file, help="Settings file; ./ingate.toml where it exists.")(wrapped)


def _option(setting: Setting) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    if setting.type is bool:
        flags = f"{setting.flag}/--no-{setting.flag[2:]}"
        return click.option(flags, setting.name, default=None, help=setting.description)
    return click.option(
        setting.flag,
        setting.name,
        metavar=f"[{'|'.join(setting.choices)}]" if setting.choices else _METAVARS[setting.type],
        help=setting.description,
        shell_complete=lambda _ctx, _param, begun: [word for word in setting.choices if word.startswith(begun)],
    )


def _tell_unknown() -> None:
    if unknown := unknown_variables():
        import structlog

        for sentence in unknown:
            structlog.get_logger(__name__).warning("unknown_setting", problem=sentence)


__all__ = ["DATABASE", "Settings", "settings_options"]
