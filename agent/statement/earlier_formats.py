"""Statements of earlier formats, read as today's. Pure.

Format 1 did not tell measured from estimated power: what units reported counts as estimated. Format 2 did not judge
where work goes. Statements of both stay valid: the digests of their parts are of the rows as that release printed them.
"""

from typing import Any

EARLIER_FORMATS = (1, 2)
_NOT_JUDGED = {
    "diverted_hs": None,
    "diverted_ratio": None,
    "judged_ratio": 0.0,
    "credited_hs": None,
    "credited_covered_ratio": None,
}


def upgraded(content: Any) -> Any:
    """Return the decoded JSON of a statement of an earlier format as one of today's; what does not fit it is left.

    Args:
        content: Any decoded JSON with one of `EARLIER_FORMATS`. It is changed in place.
    """
    if content["format"] == 1:
        for part in content["parts"]:
            for row in (part["mean"], part["last"]):
                _split_reported(row["watts"])
            part["inputs"]["digest_format"] = 1
        _split_reported(content["figures"]["joules_by_source"])
    content["figures"] = {**_NOT_JUDGED, **content["figures"]}
    content["format"] = 3
    return content


def _split_reported(by_source: dict[str, Any]) -> None:
    if "reported" in by_source:
        by_source |= {"measured": 0.0, "estimated": by_source.pop("reported")}
