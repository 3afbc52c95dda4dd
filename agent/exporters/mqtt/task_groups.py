"""Two gaps in what Python 3.11 offers around a TaskGroup: flat errors, and a clean cancel count after one failed."""

import asyncio


def leaves(error: BaseException) -> list[BaseException]:
    """Return the errors in a group of groups, flattened; a single error yields a list of itself."""
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in leaves(inner)]
    return [error]


def clear_cancel_count() -> None:
    """Clear the cancel count that a failed TaskGroup leaves set on this task, before it waits to retry.

    Python 3.11.2 (Debian 12) leaves the count set. `asyncio.timeout` then mistakes its own cancellation for an outside
    one and ends the task. Can go when 3.11.4 is the oldest supported version.
    """
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()
