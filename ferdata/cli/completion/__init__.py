"""`ferdata completion SHELL`: what the Tab key completes, and how to switch it on."""

import click
from click.shell_completion import get_completion_class

from ferdata.cli import COMPLETE
from ferdata.cli.layout import prose
from ferdata.cli.options import Choice

SHELLS = ("bash", "zsh", "fish")
HOW = """\
Run the line of your shell once, and open a new terminal.

bash  echo 'eval "$(ferdata completion bash)"' >> ~/.bashrc
zsh   echo 'eval "$(ferdata completion zsh)"' >> ~/.zshrc
fish  ferdata completion fish > ~/.config/fish/completions/ferdata.fish

Tab then completes commands, options, files, and the names of datasets, backbones, recipes and whatever else is chosen \
from a list. The shell must find `ferdata` (on the PATH), and bash be 4.4 or newer; macOS brings 3.2, and zsh. In zsh \
the line belongs below `autoload -Uz compinit && compinit`."""


@click.command("completion")
@click.argument("shell", type=Choice(SHELLS), required=False)
def command(shell: str | None) -> None:
    """Print the script that has SHELL complete with the Tab key; without SHELL, how to switch that on.

    \b
    ferdata completion
    ferdata completion bash
    """
    if shell is None:
        prose(HOW)
        return
    script = get_completion_class(shell)
    assert script is not None  # click has one for each of these
    click.echo(script(click.Group("ferdata"), {}, "ferdata", COMPLETE).source(), nl=False)
