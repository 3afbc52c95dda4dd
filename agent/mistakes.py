"""Mistakes in plain words: what pydantic found, near matches, and values as a message may show them."""

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agent.errors import Mistake

SHOWN_CHARACTERS = 80
MASK = "***"

Location = tuple[int | str, ...]

_REASONS = {
    "bool_type": "true or false is expected",
    "float_type": "a number is expected",
    "int_type": "a whole number is expected",
    "tuple_type": "a list in brackets is expected",
}


def near_match(word: str, known: Iterable[str]) -> str:
    """Give ``; did you mean X?`` when one of `known` is close to `word`, whatever its case, and nothing otherwise."""
    by_folded = {name.casefold(): name for name in known}
    # Clipped: looking for something like a cell of megabytes takes minutes.
    close = difflib.get_close_matches(word[:SHOWN_CHARACTERS].casefold(), by_folded, n=1)
    return f"; did you mean {by_folded[close[0]]}?" if close else ""


def clip(text: str) -> str:
    """Cut `text` to what fits a line of a report."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."


def is_secret(key: int | str) -> bool:
    """Say whether what stands under `key` must not be shown, going by its name."""
    return re.search(r"(?i)auth|credential|key|pass|secret|token", str(key)) is not None


def read_mistakes(
    error: ValidationError, *, model: type[BaseModel], raw: Mapping[str, Any], file: str
) -> tuple[Mistake, ...]:
    """Give what pydantic found wrong with `raw` in file order.

    Args:
        error: What validating `raw` raised.
        model: What it was validated as.
        raw: The file's content.
        file: What to call it.
    """
    # A default that needs a refused key is no mistake of its own.
    found = [item for item in error.errors(include_url=False) if item["type"] != "default_factory_not_called"]
    found.sort(key=lambda item: _position(item["loc"], raw))
    return tuple(
        Mistake(file=file, where=_dotted(item["loc"]), value=_value(item, raw), reason=_reason(item, model))
        for item in found
    )


def _position(location: Location, raw: object) -> tuple[float, ...]:
    """Give where in the file a key stands; what is missing stands at the end of its section."""
    position: list[float] = []
    for key in location:
        if isinstance(raw, dict) and key in raw:
            position.append(list(raw).index(key))
            raw = raw[key]
        else:
            position.append(key if isinstance(key, int) else float("inf"))
    return tuple(position)


def _dotted(location: Location) -> str:
    path = ""
    for key in location:
        if isinstance(key, int):
            path += f"[{key}]"
        else:
            # A key in quotes may hold anything, terminal escapes too.
            path += f".{key if re.fullmatch('[A-Za-z0-9_-]+', key) else json.dumps(key)}"
    return clip(path.removeprefix("."))


def _value(error: ErrorDetails, raw: Mapping[str, Any]) -> str:
    """Give the offending value without secrets, passwords in addresses, or whole sections."""
    location, value = error["loc"], error["input"]
    if error["type"] == "missing" or value is None or isinstance(value, dict | list):
        return ""
    if any(is_secret(key) for key in location):
        return MASK
    if isinstance(value, bool):
        shown = str(value).lower()
    elif isinstance(value, int) and value.bit_length() > 256:  # Python refuses to write very long numbers in decimal.
        shown = f"{value:#x}"
    else:
        shown = re.sub(r"//[^/\s]*@", f"//{MASK}@", str(value))
    return clip(shown) + (" (default)" if _position(location, raw)[-1] == float("inf") else "")


def _reason(error: ErrorDetails, model: type[BaseModel]) -> str:
    location, context = error["loc"], error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return str(context["error"])
        case "missing":
            return "this section is needed" if len(location) == 1 else "this key is needed"
        case "extra_forbidden":
            return _unknown(location, model)
        case "model_type":
            return f"a section is expected, [{location[0]}] on a line of its own"
        case "literal_error":
            choices = re.findall(r"'([^']*)'", context["expected"])
            given = error["input"]
            return f"{', '.join(choices[:-1])} or {choices[-1]} is expected" + (
                near_match(given, choices) if isinstance(given, str) else ""
            )
        case kind:
            return _REASONS.get(kind, error["msg"])


def _unknown(location: Location, model: type[BaseModel]) -> str:
    for name in location[:-1]:
        section = model.model_fields[str(name)].annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            model = section
    known = list(model.model_fields)
    suggestion = near_match(str(location[-1]), known) or f"; known are {', '.join(known)}"
    return f"unknown {'section' if len(location) == 1 else 'key'}{suggestion}"
