"""Card of the status page for machines that answer and are no deployed unit at their address."""

from datetime import datetime
from html import escape
from zoneinfo import ZoneInfo

from agent.hil.discovery.figures import DiscoveryFigures, Machine, MachineKind

MACHINES_NAMED = 12


def discovery_card(figures: DiscoveryFigures, zone: ZoneInfo) -> str:
    """Return the card; an empty text if the latest look found nothing of that kind, or before the first look.

    Args:
        figures: The latest look, held against the ledger.
        zone: Time zone of the site.
    """
    look, machines = figures.look, figures.machines
    if look is None or not machines:
        return ""
    listed = "".join(
        f"<li><strong>{escape(str(machine.seen.endpoint))}</strong> {escape(machine_text(machine))}</li>"
        for machine in machines[:MACHINES_NAMED]
    )
    more = len(machines) - MACHINES_NAMED
    rest = f'<p class="soft">and {more:,} more</p>' if more > 0 else ""
    ended = datetime.fromtimestamp(look.ended, zone)
    restored = ", before this agent started" if figures.is_restored else ""
    return (
        f'<section class="card"><h2>Not in the ledger: {len(machines):,} machine{"s"[: len(machines) > 1]}</h2>'
        f'<ul class="events">{listed}</ul>{rest}'
        f'<p class="scale">as of {ended:%Y-%m-%d %H:%M} in {escape(zone.key)}{restored}; counted in no figure</p>'
        "</section>"
    )


def machine_text(machine: Machine) -> str:
    """Return what a machine is and how it stands to the ledger, in words."""
    seen = machine.seen
    what = seen.model or "a unit without a model"
    match machine.kind:
        case MachineKind.MOVED:
            return f"{what}: {machine.unit_id} of the ledger, at another address than its own"
        case MachineKind.NOT_DEPLOYED:
            return f"{what}: {machine.unit_id} of the ledger, of which no row is in force"
        case MachineKind.UNIDENTIFIED:
            return f"not identified, looks like {seen.looks_like}" if seen.looks_like else "not identified"
        case MachineKind.UNLISTED:
            return f"{what}, in no row of the ledger"
