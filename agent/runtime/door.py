"""The door of the web server, from the setup in force."""

from collections.abc import Callable

import structlog

from agent.exporters.prometheus.store import Metrics
from agent.exporters.web.door.door import Door
from agent.runtime.setup import Setup

log = structlog.get_logger("agent")


def new_door(setup: Callable[[], Setup], metrics: Metrics) -> Door:
    """Return the door; what it lacks where the server listens is logged once.

    Args:
        setup: Returns the setup in force.
        metrics: Exports whether the web configuration file is in force as it stands.
    """
    at_start = setup()
    door = Door(
        at_start.web_file,
        listen=at_start.config.web.listen,
        operators=lambda: setup().config.web.operators,
        token=lambda: setup().token,
        viewer_token=lambda: setup().viewer_token,
    )
    if at_start.web_file is not None:
        metrics.watch_web_config(lambda: door.is_in_force)
    if door.exposure is not None:
        log.warning("web server is open", missing=door.exposure)
    return door
