"""Link the work tree into a virtual environment and write its two commands, without a build.

An editable install would download a build backend; a path file and two scripts do the same without one. Run with the
environment's own Python.
"""

import sys
import sysconfig
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """#!{python}
import sys

from {module} import {function}

sys.exit({function}())
"""


def main() -> None:
    """Write the path file and one script for each entry of `project.scripts`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (Path(sysconfig.get_path("purelib")) / "hashsight.pth").write_text(f"{ROOT}\n", encoding="utf-8")
    for name, target in project["scripts"].items():
        module, function = target.split(":")
        script = Path(sysconfig.get_path("scripts")) / name
        script.write_text(SCRIPT.format(python=sys.executable, module=module, function=function), encoding="utf-8")
        script.chmod(0o755)


if __name__ == "__main__":
    main()
