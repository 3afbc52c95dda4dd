"""The log of requests that the units received."""

from itertools import islice

from simulators.control.answers import RequestPage, RequestTold
from simulators.control.operations import Asked, Operation, next_offset
from simulators.control.questions import RequestsQuery
from simulators.sockets.journal import Journal


class RequestOperations:
    """Operations that read the log.

    Args:
        journal: The requests that the units received.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def operations(self) -> tuple[Operation, ...]:
        """Return their rows."""
        return (Operation("GET", "/requests", self.list_requests, RequestPage, query=RequestsQuery),)

    async def list_requests(self, asked: Asked) -> RequestPage:
        """The requests that the units received."""
        query: RequestsQuery = asked.query
        journal = self._journal
        fitting = [
            entry
            for entry in reversed(journal.entries)
            if (query.unit is None or entry.unit_id == query.unit) and (entry.is_write or not query.writes)
        ]
        page = islice(fitting, query.offset, query.offset + query.limit)
        requests = [RequestTold(**entry._asdict()) for entry in page]
        return RequestPage(
            total=journal.total,
            writes=journal.writes,
            counts=dict(journal.counts),
            kept=len(journal.entries),
            fitting=len(fitting),
            requests=requests,
            next_offset=next_offset(query.offset, len(requests), len(fitting)),
        )
