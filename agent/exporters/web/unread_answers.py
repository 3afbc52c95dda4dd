"""JSON answers about fields of units' replies that no reader uses."""

from datetime import UTC, datetime

import msgspec

from agent.site.unread import FirmwareFields, UnreadFigures


class UnreadFieldAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A field that no reader uses.

    Attributes:
        report: The report that has it, such as ``stats new_api``.
        path: Where it stands; ``[]`` for elements of a list, ``#`` for a number at the end of a key.
        form: Its type.
        example: A number as first seen; of a text the form alone.
        times_a_reply: How often it stood in the reply where it was first seen.
        units: How many units have it, as of the latest look at each.
        first_seen_at: When the first unit of this firmware had it.
    """

    report: str
    path: str
    form: str
    example: str | None
    times_a_reply: int
    units: int
    first_seen_at: datetime


class UnreadFirmwareAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A firmware of a model, as units tell it.

    Attributes:
        units: How many units have it, as of the latest look at each.
        more: How many more fields one of them has, at most, of which no name is kept.
    """

    model: str | None
    firmware: str | None
    units: int
    fields: list[UnreadFieldAnswer]
    more: int


class UnreadAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that no reader uses, by firmware, that of most units first.

    A unit is looked at when it is first polled, after a restart of its process, and when its firmware changed.

    Attributes:
        other_units: Units of so many firmwares that no fields of theirs are kept.
    """

    now: datetime
    firmwares: list[UnreadFirmwareAnswer]
    other_units: int


def unread_answer(figures: UnreadFigures, now: float) -> UnreadAnswer:
    """Return the answer of `/api/v1/unread`."""
    return UnreadAnswer(
        now=datetime.fromtimestamp(now, UTC),
        firmwares=[_firmware(each) for each in figures.firmwares],
        other_units=figures.other_units,
    )


def _firmware(fields: FirmwareFields) -> UnreadFirmwareAnswer:
    return UnreadFirmwareAnswer(
        model=fields.of.model,
        firmware=fields.of.firmware,
        units=fields.units,
        fields=[
            UnreadFieldAnswer(
                report=name.field.report,
                path=name.field.path,
                form=name.field.form,
                example=name.field.example,
                times_a_reply=name.field.times,
                units=name.units,
                first_seen_at=datetime.fromtimestamp(name.first_seen_at, UTC),
            )
            for name in fields.names
        ],
        more=fields.more,
    )
