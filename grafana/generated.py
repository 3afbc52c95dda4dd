"""The generated files other than dashboards: ``python -m grafana.generated --write`` writes those that differ."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from grafana import contract, recording

HERE = Path(__file__).parent
FILES: Mapping[str, Callable[[], str]] = {
    "METRICS.md": contract.page,
    "rules/site.yml": recording.site_file,
    "rules/periods.yml": recording.periods_file,
    "rules/fleet.yml": recording.fleet_file,
}


def stale(folder: Path = HERE) -> list[str]:
    """Return the names of the files in `folder` that differ from what is generated."""
    return [name for name, text in FILES.items() if _read(folder / name) != text()]


def write(folder: Path = HERE) -> list[str]:
    """Write the files that differ; return their names."""
    names = stale(folder)
    for name in names:
        (folder / name).write_text(FILES[name](), encoding="utf-8")
    return names


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def main(arguments: list[str]) -> int:
    """Write the files and print their names; return the exit status."""
    if arguments != ["--write"]:
        sys.stderr.write("usage: python -m grafana.generated --write (`python -m grafana.check` checks)\n")
        return 2
    for name in write():
        sys.stdout.write(f"grafana/{name} written\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
