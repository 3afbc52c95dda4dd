"""The setup of a command that polls or checks beside the service, which alone can read its credentials."""

from pathlib import Path

from agent.commands.site_file import site_file
from agent.commands.terminal import note
from agent.config.file import load_config
from agent.runtime.credentials import with_stand_ins
from agent.runtime.setup import Setup, load_setup


def checked_setup(given: Path | None, command: str) -> Setup:
    """Return the setup, and print a note on each credential that this account cannot read.

    Args:
        given: The configuration that the command line names.
        command: The command, for errors.

    Raises:
        ConfigError: With every mistake in the files.
    """
    path = site_file(given, command)
    config, stand_ins = with_stand_ins(load_config(path), path)
    for each in stand_ins:
        note(str(each))
    return load_setup(path, config=config)
