"""The commit that this program was installed or started from, as far as files tell. No program is started."""

import importlib.metadata
import json
import re
from pathlib import Path

_DISTRIBUTION = "hashsight"
_SOURCES = Path(__file__).resolve().parents[2]
_HASH = re.compile(r"[0-9a-f]{40,64}")


def commit() -> str | None:
    """Return the commit: of an installation from a repository (PEP 610), or checked out here; None if neither."""
    try:
        told = importlib.metadata.distribution(_DISTRIBUTION).read_text("direct_url.json")
        content = json.loads(told) if told else {}
        found = content.get("vcs_info", {}).get("commit_id")
    except (importlib.metadata.PackageNotFoundError, ValueError, AttributeError):
        found = None
    return found if isinstance(found, str) and _HASH.fullmatch(found) else checked_out(_SOURCES)


def checked_out(folder: Path) -> str | None:
    """Return the commit that is checked out in a folder; None if it is no work tree."""
    git = folder / ".git"
    try:
        if git.is_file():
            git = folder / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        shared = git / "commondir"
        common = git / shared.read_text(encoding="utf-8").strip() if shared.is_file() else git
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        if not head.startswith("ref: "):
            return head if _HASH.fullmatch(head) else None
        name = head.removeprefix("ref: ")
        for file in (git / name, common / name):
            if file.is_file():
                return file.read_text(encoding="utf-8").strip()
        lines = (common / "packed-refs").read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    return next((line.split()[0] for line in lines if line.endswith(f" {name}")), None)
