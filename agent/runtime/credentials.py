"""A service's credentials as another process finds them: the files that systemd reads them from, or none.

systemd puts a service's secrets below ``/run/credentials/SERVICE`` while the service runs, readable by it and by root.
The shipped service takes each from a file of the same name beside the configuration.
"""

from collections.abc import Container
from pathlib import Path
from typing import Any, NamedTuple

from agent.config.file import Config
from agent.config.sections import Section

CREDENTIALS = Path("/run/credentials")


class StandIn(NamedTuple):
    """A credential that this process cannot read.

    Attributes:
        key: The configuration key that names it, such as ``api.token_file``.
        file: Its path.
        instead: The file that is used in its place; None if there is none that can be read.
    """

    key: str
    file: Path
    instead: Path | None

    def __str__(self) -> str:
        used = "not looked at" if self.instead is None else f"{self.instead} is used instead"
        service = self.file.relative_to(CREDENTIALS).parts[0]
        return f"{self.key}: {self.file} is for {service} while that runs, and not for this account; {used}"


def with_stand_ins(
    config: Config, config_file: Path, *, needed: Container[str] = ()
) -> tuple[Config, tuple[StandIn, ...]]:
    """Return a configuration without the credentials that this process cannot read, and what became of each.

    A file that is missing although its service runs stays: no line of the service loads it, which is a mistake.

    Args:
        config: The configuration.
        config_file: Where it was read; the files that may stand in are beside it.
        needed: Sections whose credentials stay where nothing stands in for them, so that reading them fails.
    """
    found: list[StandIn] = []
    changes: dict[str, object] = {}
    for name, value in config:
        is_needed = name in needed
        if isinstance(value, Section):
            changes[name] = _replaced(value, name, config_file, found, is_needed=is_needed)
        elif isinstance(value, tuple):
            sections = (
                _replaced(each, f"{name}[{number}]", config_file, found, is_needed=is_needed)
                for number, each in enumerate(value)
            )
            # A login without its password is none.
            changes[name] = tuple(each for each in sections if name != "foreign_login" or each.password_file)
    return config.model_copy(update=changes), tuple(found)


def _replaced(section: Section, where: str, config_file: Path, found: list[StandIn], *, is_needed: bool) -> Any:
    """Return a section with its unreadable credentials replaced or left out; adds them to `found`."""
    changes: dict[str, object] = {}
    for key, path in section:
        if not isinstance(path, Path) or not _is_withheld(path):
            continue
        beside = config_file.parent / path.name
        instead = beside if _trouble(beside) is None else None
        if instead is None and is_needed:
            continue
        changes[key] = instead
        found.append(StandIn(f"{where}.{key}", path, instead))
    if "config_file" in changes and changes["config_file"] is None:
        # Operators are users of that file.
        changes["operators"] = ()
    if {"cert_file", "key_file"} & changes.keys() and None in (
        changes.get("cert_file", ""),
        changes.get("key_file", ""),
    ):
        changes |= {"cert_file": None, "key_file": None}
    return section.model_copy(update=changes) if changes else section


def _is_withheld(path: Path) -> bool:
    """Return True for a credential that cannot be read because its service is down, or by this account."""
    if not path.is_relative_to(CREDENTIALS) or len(path.relative_to(CREDENTIALS).parts) < 2:
        return False
    trouble = _trouble(path)
    if isinstance(trouble, FileNotFoundError):
        folder = CREDENTIALS / path.relative_to(CREDENTIALS).parts[0]
        return isinstance(_trouble(folder), FileNotFoundError)
    return isinstance(trouble, PermissionError)


def _trouble(path: Path) -> OSError | None:
    """Return why a file cannot be opened for reading; None if it can."""
    try:
        if path.is_dir():
            return None
        with path.open("rb"):
            return None
    except OSError as error:
        return error
