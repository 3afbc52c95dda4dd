"""The commit that an installed program was built from, as its build wrote it down."""

import re
from pathlib import Path

_FILE = Path(__file__).with_name("commit.txt")
_COMMIT = re.compile(r"[0-9a-f]{40,64}(-changed)?")


def built_commit(file: Path = _FILE) -> str | None:
    """Return the commit; None in a checkout, or where the build did not know it.

    Args:
        file: The file that the build leaves in the package.

    Returns:
        Its hash; with ``-changed`` behind it if files of the work tree were not as committed.
    """
    try:
        found = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return found if _COMMIT.fullmatch(found) else None
