"""Options of `hashsight rules`."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.deferred import command
from agent.commands.options.shared import PlainJson

app = typer.Typer(add_completion=False)


@command(
    app,
    examples=(
        "hashsight rules --grafana https://grafana.mine.net --runbooks https://wiki.mine.net/hashsight -o rules",
        "hashsight rules --grafana http://127.0.0.1:3000 --runbooks file:///srv/runbooks -o rules --local",
    ),
)
def rules(
    *,
    grafana: Annotated[str, typer.Option("--grafana", metavar="URL", help="Grafana, as people reach it; https.")],
    runbooks: Annotated[
        str, typer.Option("--runbooks", metavar="URL", help="The folder of runbooks, as people reach it; https.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write into.")],
    local: Annotated[
        bool, typer.Option("--local", help="For a trial on this machine: accept http, file and loopback.")
    ] = False,
    as_json: PlainJson = False,
) -> None:
    """Write Prometheus' rules, Alertmanager's texts and runbooks, with the links that alerts lead to.

    DIR/*.yml are the rules, DIR/alertmanager a configuration with receivers to fill in and its texts, DIR/runbooks
    the pages to serve at --runbooks. Files of an earlier run are replaced; nothing else is touched.
    """
