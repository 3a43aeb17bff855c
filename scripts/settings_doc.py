"""Prints docs/settings.md, from the settings themselves; the suite compares."""

from ingate.config import Setting, catalogue

HEAD = """# Settings

A flag (`--some-name`) wins over the environment, the environment over `ingate.toml` (or the file of `--config`; its
keys are `some_name`), the file over the default. `ingate config` prints what is in force, secrets masked.

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
