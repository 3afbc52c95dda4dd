"""Reading of rules, tests and dashboards from files; unreadable content is reported with its place."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


class UnreadableError(Exception):
    """A file is not of the expected form; the message names the file, the place and the problem."""


def read_yaml(path: Path, name: str) -> Any:
    """Return the parsed content of a YAML file.

    Args:
        path: The file.
        name: Its name in messages.

    Raises:
        UnreadableError: It is not YAML.
    """
    # PyYAML's C loader is ten times as fast, where it was built.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both loaders are safe
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UnreadableError(f"{name}: {line}{error.problem}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{name}: {error}") from error


def read_json(path: Path, name: str) -> Any:
    """Return the parsed content of a JSON file; arguments and errors as `read_yaml`."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UnreadableError(f"{name}: line {error.lineno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{name}: {error}") from error


def required(where: str, of: Any, key: str) -> Any:
    """Return ``of[key]``.

    Raises:
        UnreadableError: The key is missing; the message begins with `where`.
    """
    if not isinstance(of, Mapping) or key not in of:
        raise UnreadableError(f"{where}: {key!r} is missing")
    return of[key]
