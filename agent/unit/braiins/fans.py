"""`fans`: one row for each connector of the control board, used or not. The duty beside the speed is a command.

Observed (O183): an S9 with two fans lists four connectors; those without a fan read 0 rpm.
"""

from agent.unit.braiins.reply import present, report_in
from agent.unit.braiins.reports import FANS_SHAPE
from agent.unit.reading import Places


def read_fans(data: bytes, repairs: set[str]) -> Places:
    """Return the speed at each connector, rpm, in the unit's order; None for one without a number.

    Args:
        data: The reply as received.
        repairs: Names of repairs; those needed here are added.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: Another program answers, or the report is missing from the reply.
    """
    return tuple([row.rpm for row in present(report_in(FANS_SHAPE, "fans", data, repairs).FANS, "fans", data)])
