"""Card of the status page for fields of units' replies that no reader uses."""

from html import escape

from agent.site.unread import FirmwareFields, UnreadFigures
from agent.text.losses import units_text

FIRMWARES_NAMED = 6
FIELDS_NAMED = 8


def unread_card(figures: UnreadFigures) -> str:
    """Return the card; an empty text if every field is read, or known and left alone."""
    firmwares = [each for each in figures.firmwares if each.names]
    if not firmwares:
        return ""
    listed = "".join(f"<li>{_item(each)}</li>" for each in firmwares[:FIRMWARES_NAMED])
    more = len(firmwares) - FIRMWARES_NAMED
    rest = f'<p class="soft">and {more:,} more firmwares</p>' if more > 0 else ""
    return (
        f'<section class="card"><h2>Fields no reader uses: {figures.names:,}</h2><ul class="events">{listed}</ul>{rest}'
        '<p class="scale">of new firmware, mostly; examples are in <a href="api/v1/unread">/api/v1/unread</a></p>'
        "</section>"
    )


def _item(firmware: FirmwareFields) -> str:
    model, build = firmware.of.model or "no model", firmware.of.firmware or "no build date"
    names = [name.field.path for name in firmware.names]
    more = len(names) - FIELDS_NAMED + firmware.more if len(names) > FIELDS_NAMED else firmware.more
    shown = ", ".join(f"<code>{escape(path)}</code>" for path in names[:FIELDS_NAMED])
    rest = f" and {more:,} more" if more else ""
    return f"<strong>{escape(model)}</strong> {escape(build)}, {units_text(firmware.units)}: {shown}{rest}"
