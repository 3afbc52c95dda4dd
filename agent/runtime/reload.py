"""The operator's files read again beside running polls: which keys may change, and which need a restart."""

import time
from collections.abc import Callable

from agent.errors import ConfigError, Mistake
from agent.runtime.setup import Setup, load_setup

# Keys of sockets and names already in use. A reload that changes one of them is refused whole.
FIXED_KEYS = (
    "site.name",
    "site.zone",
    "web.listen",
    "web.max_connections",
    "web.config_file",
    "api.state_file",
    "history.keep",
    "history.file",
    "history.key_file",
    "history.other_agents",
    "history.keep_days",
    "history.max_mb",
    "snapshot.keep",
    "snapshot.file",
    "log.format",
    "shard.index",
    "shard.count",
    "standby.of",
    "standby.token_file",
    "standby.ca_file",
)
WORK_S = 0.002


def read_again(setup: Setup) -> Setup:
    """Read the files of a setup again, resting as long as working.

    Rows that did not change keep their entry objects.

    Raises:
        ConfigError: With every mistake, among them each changed key that only a restart can change.
    """
    fresh = load_setup(setup.path, before=setup, rest=_rests(), web_config_file=setup.web_config_file)
    mistakes = []
    for key in FIXED_KEYS:
        section, name = key.split(".")
        before, after = (getattr(getattr(config, section), name) for config in (setup.config, fresh.config))
        if before != after:
            reason = f"cannot change while running (it is {before}); restart the agent"
            mistakes.append(Mistake(file=str(fresh.path), where=key, value=str(after), reason=reason))
    if fresh.config.mqtt != setup.config.mqtt:
        reason = "cannot change while running; restart the agent"
        mistakes.append(Mistake(file=str(fresh.path), where="mqtt", value="", reason=reason))
    if mistakes:
        raise ConfigError(mistakes)
    return fresh


def _rests() -> Callable[[], None]:
    """Return a function that sleeps for as long as its thread has worked since the last call.

    Reading 100,000 rows takes seconds of pure Python. The event loop gives up the interpreter's lock at each system
    call and would get it back only every five milliseconds: tens of polls a second instead of thousands.
    """
    began = time.perf_counter()

    def rest() -> None:
        nonlocal began
        worked_s = time.perf_counter() - began
        if worked_s >= WORK_S:
            time.sleep(worked_s)
            began = time.perf_counter()

    return rest
