"""A hook of the build: the commit goes into wheel and source archive as `agent/commit.txt`.

It is asked of git, or given as HASHSIGHT_COMMIT where the build has no repository. Without either there is no file, and
`agent.built` says that the commit is not known. The same commit gives the same bytes.
"""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAME = "agent/commit.txt"


def commit_of(root: Path) -> str | None:
    """Return the commit of a work tree, with ``-changed`` if tracked files differ from it; None without one."""
    given = os.environ.get("HASHSIGHT_COMMIT")
    if given:
        return given
    if not (root / ".git").exists():
        return None
    try:
        found, changed = _git(root, "rev-parse", "HEAD"), _git(root, "diff-index", "--quiet", "HEAD")
    except OSError:
        return None
    if found.returncode:
        return None
    return found.stdout.strip() + ("-changed" if changed.returncode == 1 else "")


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  fixed words
        ("/usr/bin/env", "git", *words), cwd=root, check=False, capture_output=True, text=True
    )


class CommitHook(BuildHookInterface[Any]):
    """Adds the file to a build."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the file and include it, unless the source archive has it already."""
        del version
        root = Path(self.root)
        commit = commit_of(root)
        if commit is None or (root / NAME).exists():
            return
        self._folder = tempfile.TemporaryDirectory(prefix="hashsight-commit-")
        file = Path(self._folder.name) / "commit.txt"
        file.write_text(f"{commit}\n", encoding="utf-8")
        build_data["force_include"][str(file)] = NAME

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Delete what `initialize` wrote."""
        del version, build_data, artifact_path
        folder = getattr(self, "_folder", None)
        if folder is not None:
            folder.cleanup()
