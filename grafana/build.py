"""Write ``grafana/dashboards/*.json`` from `grafana.drawing`: ``python -m grafana.build``, or ``--check`` to compare.

Grafana loads the JSON; do not edit it by hand. ``python -m grafana.build --for-import FOLDER`` writes the form that
grafana.com and Grafana's import page take: whoever imports it is asked for the data source (`__inputs`).
"""

import json
import sys
from pathlib import Path

from grafana.drawing import agent, fleet, noc, site, unit_detail, unit_list

DATA_SOURCE = "DS_PROMETHEUS"
LEAST_GRAFANA = "12.0.0"
FOLDER = Path(__file__).parent / "dashboards"
PAGES = {"fleet": fleet, "site": site, "noc": noc, "units": unit_list, "unit": unit_detail, "agent": agent}


def texts() -> dict[Path, str]:
    """Return the text of every dashboard file by path."""
    return {FOLDER / f"{name}.json": page.draw().text() for name, page in PAGES.items()}


def outdated(folder: Path | None = None) -> list[Path]:
    """Return the files that differ from the drawing, and files without a drawing."""
    folder = FOLDER if folder is None else folder
    drawn = {folder / path.name: text.encode() for path, text in texts().items()}
    unequal = [path for path, text in drawn.items() if not path.exists() or path.read_bytes() != text]
    return sorted([*unequal, *(set(folder.glob("*.json")) - set(drawn))])


def import_form(text: str) -> str:
    """Return a dashboard in the form of Grafana's "export for sharing externally".

    Source: grafana.com, "Export a dashboard as JSON": `__inputs` names what an import asks for, `__requires` what must
    be installed. The variable for the data source gives way to the input.
    """
    board = json.loads(
        text.replace("&var-datasource=${datasource}", "").replace("${datasource}", f"${{{DATA_SOURCE}}}")
    )
    variables = board["templating"]["list"]
    board["templating"]["list"] = [variable for variable in variables if variable["type"] != "datasource"]
    kinds = sorted({panel["type"] for panel in board["panels"]} - {"row"})
    board["__inputs"] = [
        {
            "name": DATA_SOURCE,
            "label": "Prometheus",
            "description": "A Prometheus with hashsight's recording rules",
            "type": "datasource",
            "pluginId": "prometheus",
            "pluginName": "Prometheus",
        }
    ]
    board["__requires"] = [
        {"type": "grafana", "id": "grafana", "name": "Grafana", "version": LEAST_GRAFANA},
        {"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"},
        *({"type": "panel", "id": kind, "name": kind, "version": ""} for kind in kinds),
    ]
    return json.dumps(board, indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` print those that differ; return the exit status."""
    if arguments == ["--check"]:
        stale = outdated()
        for path in stale:
            print(f"{path.name} differs from grafana/drawing; write it with `python -m grafana.build`")  # noqa: T201  A command.
        return 1 if stale else 0
    if len(arguments) == 2 and arguments[0] == "--for-import":
        folder = Path(arguments[1])
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts().items():
            (folder / path.name).write_text(import_form(text), encoding="utf-8")
        return 0
    if arguments:
        print(__doc__)  # noqa: T201  A command.
        return 2
    FOLDER.mkdir(exist_ok=True)
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
