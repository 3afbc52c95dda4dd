"""The Debian package for tests: built from this checkout, or the one that HASHSIGHT_PACKAGE names."""

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType

from paths import DEPLOY

from agent import __version__


def builder() -> ModuleType:
    """Return the module that builds it."""
    sys.path.insert(0, str(DEPLOY / "debian"))
    try:
        return importlib.import_module("build")
    finally:
        sys.path.remove(str(DEPLOY / "debian"))


def whole_package(folder: Path) -> Path:
    """Return the package with all locked packages inside; building it takes a minute."""
    named = os.environ.get("HASHSIGHT_PACKAGE")
    return Path(named) if named else Path(builder().build(folder, "amd64", __version__, level=0))
