"""Cards of a unit's page: boards, fans, pools, changes of state, ledger row and identity."""

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from agent.exporters.web.pages.chip_map import chip_map
from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.tables import table
from agent.exporters.web.pages.unit_rows import state_swatch
from agent.history.state_changes import Change
from agent.site.identity.whereabouts import Standing, Whereabouts
from agent.site.ledger.entries import LedgerEntry
from agent.site.status import UnitState, UnitStatus
from agent.text.numbers import ABSENT, duration_text, hashrate_text
from agent.unit.reading import BoardReading, Places


def boards_card(status: UnitStatus) -> str:
    """Return the card of the boards; an empty text without a reading."""
    reading = status.reading
    if reading is None:
        return ""
    nameplate = status.entry.nameplate
    if not reading.boards:
        return '<section class="card"><h2>Boards</h2><p class="soft">The unit lists no board.</p></section>'
    has_coolant = any(board.coolant_celsius for board in reading.boards)
    chips = f"Chips °C{', computed' if reading.is_chip_computed else ''}"
    heads = ["Board", "Hashrate", "Chips", chips, "Board °C", *(["Coolant °C"] if has_coolant else [])]
    heads += ["Clock", "Errors", "Serial"]
    rows = [_board(board, nameplate.chips_per_board, has_coolant=has_coolant) for board in reading.boards]
    absent = sorted(set(range(nameplate.boards or 0)) - {board.slot for board in reading.boards})
    rows += [
        f'<tr><th scope="row">{slot}</th><td colspan="{len(heads) - 1}"><strong>not listed</strong></td></tr>'
        for slot in absent
    ]
    note = (
        '<p class="scale">Chip temperatures are worked out by the firmware from those of the board, not measured.</p>'
        if reading.is_chip_computed
        else ""
    )
    note += "".join(map(chip_map, reading.boards))
    return table("Boards", heads, rows, numbers={1, 2}, note=note, is_sortable=False)


def _board(board: BoardReading, chips_per_board: int | None, *, has_coolant: bool) -> str:
    chips = ABSENT if board.chips is None else f"{board.chips:,}"
    if chips_per_board:
        chips += f" of {chips_per_board:,}"
    if board.bad_chips:
        chips += f", {board.bad_chips:,} marked bad"
    average = " on average" if board.is_average else ""
    coolant = f"<td>{_places(board.coolant_celsius)}</td>" if has_coolant else ""
    clock = ABSENT if board.frequency_hz is None else f"{board.frequency_hz / 1e6:.0f} MHz"
    errors = ABSENT if board.hw_errors is None else f"{board.hw_errors:,}"
    return (
        f'<tr><th scope="row">{board.slot}</th><td class="number">{hashrate_text(board.hashrate_hs)}{average}</td>'
        f'<td class="number">{chips}</td><td>{_places(board.chip_celsius)}</td><td>{_places(board.pcb_celsius)}</td>'
        f"{coolant}<td>{clock}</td><td>{errors}</td><td>{escape(board.serial or ABSENT)}</td></tr>"
    )


def _places(values: Places) -> str:
    return " ".join(ABSENT if value is None else f"{value:g}" for value in values) or ABSENT


def fans_card(status: UnitStatus) -> str:
    """Return the card of the fans, numbered from 1 as on the unit's own page; an empty text without any."""
    reading = status.reading
    if reading is None or not reading.fan_rpm:
        return ""
    rows = [
        f'<tr><th scope="row">Fan {number}</th><td class="number">{ABSENT if rpm is None else f"{rpm:,.0f}"}</td>'
        f"<td>{_fan_words(rpm)}</td></tr>"
        for number, rpm in enumerate(reading.fan_rpm, start=1)
    ]
    return table("Fans", ("Fan", "rpm", "State"), rows, numbers={1}, is_sortable=False)


def _fan_words(rpm: float | None) -> str:
    if rpm is None:
        return "no figure"
    return "turns" if rpm > 0 else "<strong>stands still</strong>"


def pools_card(status: UnitStatus, work: str = "") -> str:
    """Return the card of the pools; addresses and users are left out. An empty text without any.

    Args:
        status: The unit.
        work: Where its work goes, as HTML.
    """
    reading = status.reading
    if reading is None or not reading.pools:
        return f'<section class="card"><h2>Pools</h2>{work}</section>' if work else ""
    rows = []
    for pool in reading.pools:
        # The firmware's spelling of a slot without a pool.
        is_empty = pool.status == "Deed"
        use = "no pool set" if is_empty else {True: "shares go here", False: "spare", None: ABSENT}[pool.is_active]
        counts = "".join(
            f'<td class="number">{ABSENT if count is None else f"{count:,}"}</td>'
            for count in (pool.accepted, pool.rejected, pool.stale)
        )
        fee = ", the firmware's own" if pool.is_fee else ""
        rows.append(
            f'<tr><th scope="row">{pool.index}{fee}</th><td>{escape(pool.status or ABSENT)}</td>'
            f"<td>{use}</td>{counts}</tr>"
        )
    heads = ("Pool", "Status", "Use", "Accepted", "Rejected", "Stale")
    return table("Pools", heads, rows, numbers={3, 4, 5}, before=work, is_sortable=False)


def changes_card(changes: Sequence[Change] | None, trouble: str | None, frame: Frame, *, days: int) -> str:
    """Return the card of the states that the unit was in, latest first.

    Args:
        changes: The states; None if no history is kept.
        trouble: Why they could not be read; None if they were.
        frame: The page's frame.
        days: How far back they go.
    """
    title = "Changes of state"
    if trouble is not None:
        return _sentence(title, f"History could not be read: {trouble}.")
    if changes is None:
        return _sentence(title, "This agent keeps no history (history.keep).")
    if not changes:
        return _sentence(title, f"No state was recorded in the last {days} days.")
    rows = []
    for change in changes:
        until = frame.now if change.until is None else change.until
        lasted_s = max(0.0, until - change.since)
        reason = "" if change.why == change.state else escape(change.why)
        swatch = state_swatch(UnitState(change.state)) if change.state in set(UnitState) else ""
        rows.append(
            f'<tr><th scope="row" data-sort="{change.since:.0f}">{frame.moment(change.since)}</th>'
            f'<td>{swatch}{escape(change.state)}</td><td class="words">{reason}</td>'
            f'<td data-sort="{until:.0f}">{"now" if change.until is None else frame.moment(until)}</td>'
            f'<td class="number" data-sort="{lasted_s:.0f}">{duration_text(lasted_s)}</td></tr>'
        )
    note = f'<p class="scale">the last {days} days; times in {escape(frame.zone.key)}</p>'
    return table(title, ("Since", "State", "Reason", "Until", "Lasted"), rows, numbers={4}, note=note)


def _sentence(title: str, words: str) -> str:
    return f'<section class="card"><h2>{escape(title)}</h2><p class="soft">{escape(words)}</p></section>'


def own_page(entry: LedgerEntry, where: Whereabouts | None, web_port: int) -> str:
    """Return the address of a unit's own web page, where it was last seen; its host is a literal IP address."""
    port = entry.web_port or web_port
    is_moved = where is not None and where.standing is Standing.MOVED
    literal = where.place.host if where is not None and is_moved and where.place is not None else entry.host
    host = f"[{literal}]" if ":" in literal else literal
    return f"http://{host}/" if port == 80 else f"http://{host}:{port}/"


def identity_card(status: UnitStatus, frame: Frame, where: Whereabouts | None, *, web_port: int) -> str:
    """Return the card of the unit's row in the ledger, of what it says of itself, and the link to its own page."""
    entry, reading = status.entry, status.reading
    identity = None if reading is None else reading.identity
    facts = [
        ("Ledger id", entry.unit_id),
        ("Model", f"{entry.nameplate.model}, {hashrate_text(entry.nameplate.hashrate_hs)}"),
        ("Make", entry.nameplate.make),
        ("Address", f"{entry.host}:{entry.port}"),
        ("MAC address", entry.mac or ABSENT),
        ("Serial number", entry.serial or ABSENT),
        ("Cooling", entry.nameplate.cooling),
        ("Deployed", _span(entry, frame)),
        ("Status", "maintenance" if entry.is_in_maintenance else "deployed"),
        ("Reader", entry.reader or "chosen by what it says"),
        ("It says it is", (identity.model if identity else None) or ABSENT),
        ("Its firmware", (identity.firmware if identity else None) or ABSENT),
        ("Its miner process", (identity.miner if identity else None) or ABSENT),
        ("Its identity", "not checked" if where is None else _where(where)),
    ]
    listed = "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts)
    address = escape(own_page(entry, where, web_port))
    return (
        f'<section class="card"><h2>Ledger row and identity</h2><dl class="facts">{listed}</dl>'
        f'<p><a href="{address}" rel="noreferrer noopener external">The unit\'s own page, {address}</a></p>'
        f'<p><a href="{frame.root}api/v1/units/{quote(entry.unit_id, safe="")}">This unit as JSON</a></p></section>'
    )


def _span(entry: LedgerEntry, frame: Frame) -> str:
    begins = "always" if entry.deployed_from is None else f"since {frame.local(entry.deployed_from):%Y-%m-%d %H:%M}"
    return begins if entry.deployed_to is None else f"{begins}, until {frame.local(entry.deployed_to):%Y-%m-%d %H:%M}"


_STANDINGS = {
    Standing.VERIFIED: "seen at its ledger address",
    Standing.UNVERIFIED: "not seen yet",
    Standing.MOVED: "seen at another address",
    Standing.DISPLACED: "another unit answers at its address",
}


def _where(where: Whereabouts) -> str:
    words = _STANDINGS[where.standing]
    return f"{words}: {where.place}" if where.standing is Standing.MOVED and where.place is not None else words
