"""Write ``grafana/dashboards/*.json`` from `grafana.drawing`: ``python -m grafana.build``, or ``--check`` to compare.

Grafana loads the JSON; do not edit it by hand.
"""

import sys
from pathlib import Path

from grafana.drawing import agent, fleet, noc, site, unit_detail, unit_list

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


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` print those that differ; return the exit status."""
    if arguments == ["--check"]:
        stale = outdated()
        for path in stale:
            print(f"{path.name} differs from grafana/drawing; write it with `python -m grafana.build`")  # noqa: T201  A command.
        return 1 if stale else 0
    if arguments:
        print(__doc__)  # noqa: T201  A command.
        return 2
    FOLDER.mkdir(exist_ok=True)
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
