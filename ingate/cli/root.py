"""The group of all commands: one small module a command, each imported only when it is called."""

import importlib

import click

COMMANDS = {
    "backup": "Copy the embedded database and the master key into one file.",
    "completion": "Print what makes a shell complete commands and options.",
    "config": "Print the effective settings, secrets masked.",
    "demo": "Delete the example traffic of `--demo`.",
    "doctor": "Check that everything the gateway needs is in order.",
    "keys": "Create, list, rotate and revoke keys without a running gateway.",
    "logs": "List recorded calls, show one with all that is known of it, or show them as they come.",
    "migrate": "Bring the database to the schema of this version.",
    "openapi": "Print the OpenAPI 3.1 document of the REST API.",
    "orgs": "Create, list and remove organisations and set their plans without a running gateway.",
    "providers": "Add, change, remove, list and test the providers of organisations without a running gateway.",
    "restore": "Put what a backup holds into a fresh data directory.",
    "serve": "Run the gateway.",
    "users": "Create and list accounts, change roles, remove members and reset passwords without a running gateway.",
}


class _Lazy(click.Group):
    """A group whose commands are modules: `ingate --help` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's signature
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"ingate.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ingate")
def group() -> None:
    """Ingate, an open, self-hosted LLM gateway."""
