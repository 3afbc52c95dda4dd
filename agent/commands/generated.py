"""Man pages and completion scripts: ``python -m agent.commands.generated --write`` writes those that differ."""

import sys
from collections.abc import Mapping
from pathlib import Path

from agent.commands.command_tree import command_tree
from agent.commands.completions import completions
from agent.commands.machine_output import write_lines
from agent.commands.man_pages import man_pages

DEPLOY = Path(__file__).parents[2] / "deploy"


def files() -> Mapping[str, str]:
    """Return the text of every generated file by its path below ``deploy``."""
    tree = command_tree()
    pages = {f"man/{name}": text for name, text in man_pages(tree).items()}
    return pages | {f"completion/{name}": text for name, text in completions(tree).items()}


def stale(folder: Path = DEPLOY) -> list[str]:
    """Return the files in `folder` that differ from what is generated, those included that no command has."""
    wanted = files()
    found = {f"{room}/{path.name}" for room in ("man", "completion") for path in (folder / room).glob("*")}
    differing = [name for name, text in wanted.items() if _read(folder / name) != text]
    return [*differing, *sorted(found - wanted.keys())]


def write(folder: Path = DEPLOY) -> list[str]:
    """Write the files that differ, remove those that no command has; return their names."""
    wanted, names = files(), stale(folder)
    for name in names:
        path = folder / name
        if name not in wanted:
            path.unlink()
            continue
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[name], encoding="utf-8")
    return names


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def main(arguments: list[str]) -> int:
    """Write the files and print their names; return the exit status."""
    if arguments != ["--write"]:
        sys.stderr.write("usage: python -m agent.commands.generated --write\n")
        return 2
    write_lines(f"deploy/{name} written" for name in write())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
