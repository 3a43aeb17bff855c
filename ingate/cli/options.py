"""Every setting as a command-line option."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ingate.config import Settings, catalogue, load

_TYPES = {int: click.INT, float: click.FLOAT, str: click.STRING}


def settings_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds an option for each setting, and `--config`; the command receives one `settings` argument."""

    def with_settings(config: Path | None, **flags: Any) -> Any:
        own = {name: flags.pop(name) for name in list(flags) if name not in names}
        return function(settings=load(flags, file=config), **own)

    with_settings.__doc__ = function.__doc__
    with_settings.__name__ = function.__name__
    settings = catalogue()
    names = {setting.name for setting in settings}
    wrapped: Callable[..., Any] = with_settings
    for setting in reversed(settings):
        flag = "--" + setting.name.replace("_", "-")
        if setting.type is bool:
            option = click.option(f"{flag}/--no-{flag[2:]}", setting.name, default=None, help=setting.description)
        else:
            kind = click.Choice(setting.choices) if setting.choices else _TYPES[setting.type]
            option = click.option(flag, setting.name, type=kind, default=None, help=setting.description)
        wrapped = option(wrapped)
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    return click.option("--config", type=file, help="Settings file; ./ingate.toml where it exists.")(wrapped)


__all__ = ["Settings", "settings_options"]
