"""The site's configuration that a command uses: the one it is given, or the first found in the usual places."""

import os
from collections.abc import Mapping
from pathlib import Path

from agent.commands.machine_output import visible
from agent.commands.terminal import err, usage_error

VARIABLE = "HASHSIGHT_CONFIG"
PLACES = (Path("site.toml"), Path("/etc/hashsight/site.toml"))
"""Where a configuration is looked for, in this order, when neither option nor variable names one."""


def site_file(given: Path | None, command: str, *, instead: str = "") -> Path:
    """Return the configuration to use, and say on standard error which it is unless the command line names it.

    Args:
        given: The file that the command line names.
        command: The command, for the error.
        instead: What else the command takes instead of a configuration, such as ``, or a history file (--history)``.

    Raises:
        ConfigError: There is none in any place; the message names all of them.
    """
    if given is not None:
        return given
    found = find(os.environ)
    if found is None:
        named = "not set" if VARIABLE not in os.environ else "empty"
        looked = ", ".join((f"${VARIABLE} ({named})", *map(_shown, PLACES)))
        raise usage_error(command, "--config", "", f"no site configuration in {looked}; name one with -c FILE{instead}")
    path, where = found
    err.print(visible(f"configuration: {_shown(path)}{where}"), markup=False, soft_wrap=True)
    return path


def find(environment: Mapping[str, str]) -> tuple[Path, str] | None:
    """Return the first configuration in the usual places, with words for how it was found; None if there is none.

    A file that exists and cannot be read is found: the next place would be another site's.

    Args:
        environment: The variables of this process.
    """
    if environment.get(VARIABLE):
        return Path(environment[VARIABLE]), f", by {VARIABLE}"
    for path in PLACES:
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError:
            pass
        return path, ""
    return None


def _shown(path: Path) -> str:
    return str(path) if path.is_absolute() else f"./{path}"
