"""Rules, their tests and dashboards as they stand in files that people edit: what cannot be read is named."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


class UnreadableError(Exception):
    """A file is not what it is taken for; the message names it, the place, and what is wrong."""


def read_yaml(path: Path, name: str) -> Any:
    """Give what a file holds.

    Args:
        path: Where it is.
        name: What people call it.

    Raises:
        UnreadableError: It is not YAML.
    """
    # PyYAML's own C loader is ten times as fast, where it was built with it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both loaders are safe ones
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UnreadableError(f"{name}: {line}{error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{name}: {error}") from error


def read_json(path: Path, name: str) -> Any:
    """Give what a file holds; arguments and errors as `read_yaml`."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UnreadableError(f"{name}: line {error.lineno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{name}: {error}") from error


def required(where: str, of: Any, key: str) -> Any:
    """Give ``of[key]``.

    Raises:
        UnreadableError: It is not there; `where` says where it was looked for.
    """
    if not isinstance(of, Mapping) or key not in of:
        raise UnreadableError(f"{where}: {key!r} is missing")
    return of[key]
