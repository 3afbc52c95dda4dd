"""Every repair a reading can name: a closed list, the label `repair` of `miner_agent_reply_repairs_total`.

The first group makes a reply valid JSON; `cgminer.wire` has the defects, and where they were seen. The second costs
one value. The third holds a reply against itself (`consistency`).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

REPAIRS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "missing_comma": "a comma was added between two objects",
        "stray_comma": "a comma too many was dropped",
        "bare_nan": "a nan or inf outside quotes reads as absent",
        "out_of_range": "a number no float can hold reads as absent",
        "control_character": "a raw control byte stood inside a text",
        "bad_utf8": "bytes that are not UTF-8 became U+FFFD",
        "bad_surrogate": "half of a UTF-16 pair became U+FFFD",
        "missing_status": "data without a STATUS was taken as a success",
        "number_in_string": "a number came as text",
        "wrong_type": "a field of another type reads as absent",
        "implausible": "a number beyond what a unit can do reads as absent",
        "total_from_boards": "the boards' sum replaced a 5 s total that they refute",
        "total_unit": "the 5 s total was in another unit than the boards",
        "board_unit": "board rates were in another unit than the total",
        "boards_refuted": "board rates that the total refutes read as absent",
        "longer_rate": "a longer rate stands in for a 5 s rate that cannot be",
        "rate_from_summary": "the rate in summary replaced noughts in stats",
        "mode_refuted": "the unit says that it sleeps and hashes; its word was not believed",
        "rate_after_sleep": "a rate told within two minutes of falling asleep was not credited",
        "carried_over": "a rate told within seconds of a restart is the one before it; it reads as absent",
        "uptime_refuted": "an uptime of seconds that stood still for a minute reads as absent",
        "watts_refuted": "reported watts that contradict the rate read as absent",
    }
)
