"""The key that signs a statement, and the public key that it is held against."""

from pathlib import Path

from agent.commands.terminal import note, usage_error
from agent.config.file import load_config
from agent.errors import ConfigError
from agent.files.signing import PublicKey, SigningKey, public_file, read_public_key, read_signing_key

COMMAND = "statement"


def key_file(config: Path | None, history: Path) -> Path:
    """Return the file of the agent's key: `history.key_file`, or the one beside the history.

    Args:
        config: The configuration. It counts also where another history is given: that of two agents, merged.
        history: The history file, for use without a configuration.
    """
    if config is not None:
        section = load_config(config).history
        given: Path | None = getattr(section, "key_file", None)
        if given is not None:
            return given
        history = section.path(config)
    return history.with_suffix(".key")


def signing_key(given: Path | None, agents: Path | None, *, is_draft: bool) -> SigningKey | None:
    """Return the key to sign with; None for a draft, with a note, if the agent's cannot be read.

    Args:
        given: The file of `--key`.
        agents: The file of the agent's key; None if there is none to look for.
        is_draft: False for a statement to publish, which is signed or refused.

    Raises:
        ConfigError: `given` is no key, or a statement to publish has none.
    """
    if given is not None:
        return read_signing_key(given, where="--key")
    if agents is None:
        if is_draft:
            return None
        raise usage_error(COMMAND, "--key", "", "a published combination is signed: the file of a key is expected")
    try:
        return read_signing_key(agents, where="history.key_file")
    except ConfigError as error:
        reason = "; ".join(mistake.reason for mistake in error.mistakes)
        if is_draft:
            note(f"not signed: {agents}: {reason}")
            return None
        hint = f"a published statement is signed: {_way_out(agents)}, or give a key with --key FILE"
        raise usage_error(COMMAND, "--publish", str(agents), f"{reason}; {hint}") from error


def _way_out(file: Path) -> str:
    """Return the remedy for a key that could not be read: another account, or a start of the agent that makes it."""
    try:
        is_there = file.exists()
    except OSError:  # a folder that is closed to this account
        is_there = True
    return f"run this as {_owner(file)}" if is_there else "the agent makes its key when it starts, start it"


def _owner(file: Path) -> str:
    """Return the account that can read a key, as far as the files tell."""
    for each in (file, file.with_suffix(".sqlite"), file.parent):
        try:
            return f"the user {each.owner()}"
        except (OSError, KeyError):
            continue
    return "the agent's user"


def known_key(given: Path | None, agents: Path | None) -> PublicKey | None:
    """Return the public key to hold a statement against; None if there is none to compare with.

    Args:
        given: The file of `--key`.
        agents: The file of the agent's key, beside which its public half stands; None if there is none.

    Raises:
        ConfigError: The file holds no public key.
    """
    if given is not None:
        return read_public_key(given, where="--key")
    if agents is None:
        return None
    public = public_file(agents)
    try:
        is_there = public.exists()
    except OSError:
        return None
    return read_public_key(public, where="history.key_file") if is_there else None
