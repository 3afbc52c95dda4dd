"""The front of the command line: every subcommand's name and help line, as data.

A subcommand's options are imported when it is completed or asked for its own help, and its work when it runs. Version,
help and completion therefore cost little more than importing typer.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from agent import __version__
from agent.commands.deferred import Group

# In the order of `hashsight --help`. Each name is also a module of `agent.commands.options`, whose `app` declares the
# command; the line is the first paragraph of that command's help.
SUBCOMMANDS: Mapping[str, str] = {
    "init": "Begin a site: scan its networks, write a checked site.toml and ledger.csv, and say what to type next.",
    "run": "Watch a site: poll its units, serve /metrics, the JSON API and the status page.",
    "check": "Check configuration and ledger and print what is deployed now. Opens no socket.",
    "once": "Poll every unit once and print the site's figures and its worst units.",
    "top": "Show a site live in the terminal: headline, losses, containers, and the worst units with what ails them.",
    "read": "Read one unit once and print everything it reports.",
    "record": "Record what a unit says, byte for byte, as a capture that can be replayed. Only reads.",
    "scan": "Find the units in address ranges, say what they are, and propose a ledger. Changes nothing.",
    "verify": "Hold a capture against its golden reading, or units and captures against each other. Only reads.",
    "listen": "Fill a rack slot by slot: press each unit's IP report button, and it gets the next slot.",
    "metrics": "Print the metric contract: every metric with its kind, labels and meaning.",
    "rules": "Write Prometheus' rules, Alertmanager's texts and runbooks, with the links that alerts lead to.",
    "demo": "Watch a simulated site: units, agent, and Prometheus if it is installed. Ctrl-C stops all of it.",
    "statement": "Print a calendar period's statement: deployed, operating, losses by cause, energy, and the method.",
    "history": "Export, verify and seal the site's minute-by-minute history, or merge those of two agents.",
    "ledger": "Show, compare and change the dated list of what is deployed. Changes leave the past as it was.",
    "pools": "Show where the site's work goes, and propose the allow-list of its pools.",
    "fleet": "Serve one page over the agents of many sites: totals, sites side by side, and each site's own pages.",
    "mqtt": "Watch what is published over MQTT, and test the broker connection.",
    "curtail": "Declare, stop and list curtailments at a running agent.",
    "doctor": "Look for what keeps a site from being watched well: network, clock, limits, files, neighbours.",
}


class DeferredCommand(TyperCommand):
    """A subcommand known by name and help line, whose options are not imported yet."""

    def __init__(self, name: str, help_line: str) -> None:
        super().__init__(name, help=help_line)
        self._module = f"{__package__}.options.{name}"

    def load(self) -> Any:
        """Import the module and return the command it declares."""
        return get_command(import_module(self._module).app)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return a context of the loaded command, which then runs, completes or explains itself."""
        return self.load().make_context(info_name, args, parent=parent, **extra)


class _Subcommands(Group):
    """The group of all subcommands, each deferred."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, help_line in SUBCOMMANDS.items():
            self.add_command(DeferredCommand(name, help_line))

    def _main_shell_completion(self, *request: Any, **more: Any) -> None:
        """Answer a shell that asks for completions; without such a request, return."""
        # For zsh, fish and PowerShell typer strips rich markup from help texts, which takes rich. Ours have no markup.
        with _hidden("rich"):
            super()._main_shell_completion(*request, **more)


@contextmanager
def _hidden(package: str) -> Iterator[None]:
    """Make a package look as if it were not installed: Python takes None in `sys.modules` for that."""
    modules: dict[str, Any] = sys.modules
    loaded = modules.get(package)
    modules[package] = None
    try:
        yield
    finally:
        del modules[package]
        if loaded is not None:
            modules[package] = loaded


app = typer.Typer(
    cls=_Subcommands,
    name="hashsight",
    no_args_is_help=True,
    # Every command takes over these names from the group above it.
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    help="Operating versus deployed hashrate of a Bitcoin mining site, and what took the rest.",
    epilog="Exit status: 0 success, 1 failure, 2 wrong configuration or command line.",
)


def _version(*, value: bool) -> None:
    if value:
        typer.echo(f"hashsight {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version
