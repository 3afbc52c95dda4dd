"""Statements of format 1, which had one source for all watts that units reported. Pure.

The first release did not tell measured from estimated power. Its statements stay valid: reported counts as estimated,
and the digests of their parts are of the rows as that release printed them.
"""

from typing import Any

FORMAT_1 = 1


def upgraded(content: Any) -> Any:
    """Return the decoded JSON of a statement of format 1 as one of format 2; what does not fit it is left as it is.

    Args:
        content: Any decoded JSON. It is changed in place.
    """
    for part in content["parts"]:
        for row in (part["mean"], part["last"]):
            _split_reported(row["watts"])
        part["inputs"]["digest_format"] = 1
    _split_reported(content["figures"]["joules_by_source"])
    content["format"] = 2
    return content


def _split_reported(by_source: dict[str, Any]) -> None:
    if "reported" in by_source:
        by_source |= {"measured": 0.0, "estimated": by_source.pop("reported")}
