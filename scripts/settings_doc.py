"""Prints docs/settings.md, from the settings themselves; the suite compares."""

from ingate.config import Setting, catalogue

HEAD = """# Settings

A flag (`--some-name`) wins over the environment, the environment over `ingate.toml` (or the file of `--config`; its
keys are `some_name`), the file over the default. `ingate config` prints what is in force, secrets masked.

What is empty counts as not stated. Booleans are `true`, `yes`, `on`, `1`, `false`, `no`, `off` or `0`, in any case. A
value that makes no sense ends the start with the option, the variable, or the file and line that states it, the value
(unless it is a secret) and what would do. An unknown key of the file does so too; an unknown variable `INGATE_…` is
named in the log, with the setting it is nearest to.

Origins are compared as browsers send them: `https://App.example:443` lists `https://app.example`, and a pattern such as
`https://*.example` is refused. What is sent as a header (`gateway_token` and the vendors' keys) is printable ASCII.

| setting | environment | default | meaning |
|---|---|---|---|
"""


def row(setting: Setting) -> str:
    """Returns the table row of a setting."""
    default = str(setting.default).lower() if setting.type is bool else str(setting.default)
    meaning = setting.description.replace("|", "\\\\|")
    if setting.choices:
        meaning += f" One of {', '.join(f'`{choice}`' if choice else 'empty' for choice in setting.choices)}."
    if setting.secret:
        meaning += " Secret."
    return f"| `{setting.name}` | `{setting.env}` | {f'`{default}`' if default else 'empty'} | {meaning} |"


def page() -> str:
    """Returns the whole page."""
    return HEAD + "\n".join(row(setting) for setting in catalogue()) + "\n"


if __name__ == "__main__":
    print(page(), end="")
