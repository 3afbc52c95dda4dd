"""The choice of the next page to ask for, and the signs that make it worth asking."""

from collections.abc import Iterable, Mapping

from agent.address import Endpoint
from agent.site.identity.address_memory import AddressMemory, named_boards
from agent.site.identity.agenda import Agenda, Urgency
from agent.site.identity.routes import Routes
from agent.site.identity.whereabouts import Whereabouts
from agent.unit.reading import UnitReading

RECHECK_S = 86_400.0
# An uptime that grows by so much more than the time between two polls is another unit's.
UPTIME_JUMP_S = 300.0
RETRY_S = 60.0
RETRY_MAX_S = 3600.0
SEARCH_EVERY_S = 600.0


class Inquiries:
    """The pages to ask for, by urgency and time.

    A page is asked for once a day. It is also asked for when its address first answers or answers again, when an uptime
    went backwards or jumped ahead, and when other boards answer than before.

    Args:
        memory: What is remembered of each address.
        routes: Where each unit is polled.
        spacing_s: One address is asked at most this often.

    Attributes:
        web_ports: The port of the pages at each address of the ledger; None where the ledger has none.
        lost: Ids of the units that were unreachable at their last poll.
        displaced: Ids of the units at whose home another unit answers.
    """

    def __init__(self, memory: AddressMemory, routes: Routes, *, spacing_s: float) -> None:
        self._memory = memory
        self._routes = routes
        self.spacing_s = spacing_s
        self._agenda = Agenda()
        self.web_ports: Mapping[Endpoint, int | None] = {}
        self.lost: set[str] = set()
        self.displaced: set[str] = set()
        self._next_search = float("-inf")

    def take(self, clock_s: float) -> Endpoint | None:
        """Return the next address to ask now, or None. It is not returned again until its answer was taken in."""
        if clock_s >= self._next_search and (self.lost or self.displaced or self._routes.are_some_away):
            self._next_search = clock_s + SEARCH_EVERY_S
            for known in self.web_ports:
                if self._routes.unit_at(known) is None:
                    self.want(known, Urgency.SEARCHED, clock_s)
        endpoint = self._agenda.take(clock_s)
        if endpoint is not None:
            self._memory.look(endpoint).asked_at = clock_s
        return endpoint

    def want(self, endpoint: Endpoint, urgency: Urgency, clock_s: float) -> None:
        """Ask for the page at an address soon."""
        asked_at = self._memory.look(endpoint).asked_at
        self._agenda.want(endpoint, urgency, max(clock_s, asked_at + self.spacing_s))

    def web_endpoint(self, endpoint: Endpoint, web_port: int) -> Endpoint:
        """Return the address of a unit's web pages; `web_port` where the ledger has none."""
        return Endpoint(endpoint.host, self.web_ports.get(endpoint) or web_port)

    def drop(self, endpoint: Endpoint) -> None:
        """Ask no more at an address that left the ledger."""
        self._agenda.drop(endpoint)

    def forget_unit(self, unit_id: str) -> None:
        """Search no more for a unit that left the ledger."""
        self.lost.discard(unit_id)
        self.displaced.discard(unit_id)

    def on_reading(self, endpoint: Endpoint, expected: str, reading: UnitReading, clock_s: float) -> None:
        """Ask for the page at an address if a reading shows signs that another unit answers there."""
        look = self._memory.look(endpoint)
        self.lost.discard(expected)
        look.is_failing = False
        if not look.is_answering:
            look.is_answering = True
            look.is_suspect = look.uptime_s is not None
            self.want(endpoint, Urgency.NEW, clock_s)
        if reading.uptime_s is not None:
            if look.uptime_s is not None:
                grown_s = reading.uptime_s - look.uptime_s
                if grown_s < 0 or grown_s > clock_s - look.uptime_at + UPTIME_JUMP_S:
                    look.is_suspect = True
                    self.want(endpoint, Urgency.RESTARTED, clock_s)
            look.uptime_s, look.uptime_at = reading.uptime_s, clock_s
        boards = tuple([board.serial for board in reading.boards])
        look.are_boards_current = boards == look.boards
        if not look.are_boards_current:
            now, before = named_boards(boards), named_boards(look.boards)
            if now and before and now.isdisjoint(before):
                look.is_suspect = True
                self.want(endpoint, Urgency.EXCHANGED, clock_s)
            if now:
                look.boards, look.are_boards_current = boards, True

    def on_failing(self, endpoint: Endpoint) -> None:
        """Note that an address answers, but without a reading."""
        self._memory.look(endpoint).is_failing = True

    def on_unreachable(self, endpoint: Endpoint, expected: str, clock_s: float) -> None:
        """Note that an address stopped answering: the next unit that answers there is identified.

        If the unit seen here was also seen elsewhere, it is probably there, and that address is asked at once.
        """
        self.lost.add(expected)
        look = self._memory.look(endpoint)
        if not look.is_answering:
            return
        look.is_answering = False
        if look.sighting is not None and look.sighting.unit_id is not None:
            look.is_doubtful = True
            for other in self._memory.places(look.sighting.unit_id):
                if other != endpoint:
                    self.want(other, Urgency.EXCHANGED, clock_s)

    def on_answered(self, endpoint: Endpoint, clock_s: float) -> None:
        """Ask again in a day: the page said who answers."""
        self._agenda.want(endpoint, Urgency.ROUTINE, clock_s + RECHECK_S)

    def on_told(self, endpoint: Endpoint) -> None:
        """Ask for no page: the unit tells its identity in its reports."""
        self._agenda.drop(endpoint)

    def on_no_socket(self, endpoint: Endpoint, clock_s: float) -> None:
        """Ask again soon: this process had no socket to ask with."""
        self._agenda.want(endpoint, Urgency.NEW, clock_s + self.spacing_s)

    def on_failed(self, endpoint: Endpoint, clock_s: float) -> None:
        """Ask again after a back-off: the request for the page failed."""
        look = self._memory.look(endpoint)
        urgency = Urgency.EXCHANGED if look.is_doubtful else Urgency.ROUTINE
        wait_s = min(RETRY_MAX_S, RETRY_S * 2.0 ** min(look.failures - 1, 16))
        self._agenda.want(endpoint, urgency, clock_s + wait_s)

    def doubt(self, endpoints: Iterable[Endpoint], clock_s: float) -> list[str | None]:
        """Check earlier addresses of a unit that is now seen elsewhere; return the units polled there."""
        names = []
        for endpoint in tuple(endpoints):
            self._memory.look(endpoint).is_doubtful = True
            self.want(endpoint, Urgency.EXCHANGED, clock_s)
            names.append(self._routes.unit_at(endpoint))
        return names

    def search(self, where: Whereabouts, clock_s: float) -> None:
        """Search for a displaced unit, first at the home of the unit that took its place."""
        occupant = where.occupant
        if occupant is not None and occupant.unit_id is not None:
            self.want(self._routes.home(occupant.unit_id), Urgency.EXCHANGED, clock_s)
