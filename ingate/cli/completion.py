"""`ingate completion`: what makes a shell complete commands and options."""

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print what makes a shell complete commands and options.

    Put `eval "$(ingate completion bash)"` into ~/.bashrc, the same with zsh into ~/.zshrc, or the output of
    `ingate completion fish` into ~/.config/fish/completions/ingate.fish.
    """
    from click.shell_completion import get_completion_class

    from ingate.cli.root import group

    kind = get_completion_class(shell)
    assert kind is not None
    completion = kind(group, {}, "ingate", "_INGATE_COMPLETE")
    click.echo(completion.source_template % completion.source_vars())
