"""The front of the command line: every subcommand's name and help line, as data.

A subcommand's module is imported only when it is run, completed or asked for its own help. `hashsight --version`,
`hashsight --help` and the completion of command names therefore cost little more than importing typer.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from agent import __version__

# In the order of `hashsight --help`. Each name is also its module here, whose `app` declares the command with its
# options; the line is the first paragraph of that command's help.
SUBCOMMANDS: Mapping[str, str] = {
    "run": "Watch a site: poll its units, serve /metrics, the JSON API and the status page.",
    "check": "Check configuration and ledger and print what is deployed now. Opens no socket.",
    "once": "Poll every unit once and print the site's figures and its worst units.",
    "read": "Read one unit once and print everything it reports.",
    "metrics": "Print the metric contract: every metric with its kind, labels and meaning.",
    "demo": "Watch a simulated site: units, agent, and Prometheus if it is installed. Ctrl-C stops all of it.",
    "statement": "Print a calendar period's statement: deployed, operating, losses by cause, energy, and the method.",
    "history": "Export the site's minute-by-minute history.",
    "ledger": "Show, compare and change the dated list of what is deployed. Changes leave the past as it was.",
    "mqtt": "Watch what is published over MQTT, and test the broker connection.",
    "curtail": "Declare, stop and list curtailments at a running agent.",
}


class DeferredCommand(TyperCommand):
    """A subcommand known by name and help line, whose module is not imported yet."""

    def __init__(self, name: str, help_line: str) -> None:
        super().__init__(name, help=help_line)
        self._module = f"{__package__}.{name}"

    def load(self) -> Any:
        """Import the module and return the command it declares."""
        return get_command(import_module(self._module).app)

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Return a context of the loaded command, which then runs, completes or explains itself."""
        return self.load().make_context(info_name, args, parent=parent, **extra)


class _Subcommands(TyperGroup):
    """The group of all subcommands, each deferred."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, help_line in SUBCOMMANDS.items():
            self.add_command(DeferredCommand(name, help_line))

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options before the subcommand, which are all flags."""
        parameters = super().get_params(ctx)
        # Typer leaves the defaults of --help, --install-completion and --show-completion at None, and imports pydantic
        # to convert None. It takes False as it is.
        for parameter in parameters:
            if parameter.default is None:
                parameter.default = False
        return parameters


app = typer.Typer(
    cls=_Subcommands,
    name="hashsight",
    no_args_is_help=True,
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
