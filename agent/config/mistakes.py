"""Mistakes in files as `Mistake` values for operators, with near matches and masked secrets.

A file can have a mistake in every cell. All are counted, a hundred are shown, and only those are put into words.
"""

import difflib
import json
import math
import re
from bisect import bisect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from agent.errors import Mistake

SHOWN_CHARACTERS = 80
# A file of another kind has a mistake on every line; a hundred are enough to see that.
SHOWN_MISTAKES = 100
MAX_COMPARED = 200
MAX_DEPTH = 2
"""Sections within a section: `pools.allowed`."""
MASK = "***"

PRIVATE_KEYS = frozenset({"account", "body", "form", "headers", "query"})
"""Keys whose values are no secrets and are not logged either: mistakes of a reload go to the log."""

Location = tuple[int | str, ...]

_REASONS = {
    "bool_type": "true or false is expected",
    "float_type": "a number is expected",
    "int_type": "a whole number is expected",
    "tuple_type": "a list in brackets is expected",
}

_ONE_SECTION = "a section is expected, [{}] on a line of its own"
_EACH_SECTION = "sections are expected, each with [[{}]] on a line of its own"


class NearMatches:
    """Suggestions from a list of known names.

    A word is compared with at most `MAX_COMPARED` names. Of a longer list these are its neighbours by alphabet, read
    forwards and backwards: a word with one wrong letter shares its beginning or its end with the right one.

    Args:
        known: The names; they are sorted when the first suggestion is wanted.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = known
        self._by_folded: dict[str, str] | None = None
        self._forwards: list[str] = []
        self._backwards: list[str] = []

    def near(self, word: str) -> str:
        """Return ``; did you mean X?`` if a name is close to `word`, ignoring case, else an empty string."""
        by_folded = self._by_folded
        if by_folded is None:
            by_folded = self._by_folded = {name.casefold(): name for name in self._known}
            if len(by_folded) > MAX_COMPARED:
                self._forwards, self._backwards = sorted(by_folded), sorted(name[::-1] for name in by_folded)
        # Clipped: matching a word of megabytes takes minutes.
        folded = word[:SHOWN_CHARACTERS].casefold()
        close = difflib.get_close_matches(folded, self._neighbours(folded) if self._forwards else by_folded, n=1)
        return f"; did you mean {by_folded[close[0]]}?" if close else ""

    def _neighbours(self, word: str) -> set[str]:
        return {
            *_around(self._forwards, word),
            *(name[::-1] for name in _around(self._backwards, word[::-1])),
        }


def _around(names: list[str], word: str) -> list[str]:
    place = bisect(names, word)
    return names[max(0, place - MAX_COMPARED // 4) : place + MAX_COMPARED // 4]


def near_match(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean X?`` if one of `known` is close to `word`, ignoring case, else an empty string."""
    return NearMatches(known).near(word)


class MisspeltError(ValueError):
    """A word that is not among the known ones; the suggestion is made when the message is read.

    Args:
        reason: The message without the suggestion.
        word: The word.
        known: The words that would be right.
    """

    def __init__(self, reason: str, word: str, known: Iterable[str]) -> None:
        super().__init__(reason)
        self._word, self._known = word, known

    def __str__(self) -> str:
        return f"{self.args[0]}{near_match(self._word, self._known)}"


class Mistakes:
    """The mistakes of one file: all are counted, the first `SHOWN_MISTAKES` are kept.

    Args:
        file: The file's name in messages.
    """

    def __init__(self, file: str) -> None:
        self.count = 0
        self._file = file
        self._kept: list[Mistake] = []

    def add(self, where: str, value: str, reason: str | Callable[[], str]) -> None:
        """Add a mistake; a reason that takes time is a function, which is called only if the reason is shown."""
        self.count += 1
        if len(self._kept) < SHOWN_MISTAKES:
            words = reason if isinstance(reason, str) else reason()
            self._kept.append(Mistake(file=self._file, where=where, value=clip(value), reason=words))

    def listed(self) -> Iterator[Mistake]:
        """Yield the mistakes that are kept, and the number of the others."""
        yield from self._kept
        if self.count > len(self._kept):
            yield more_mistakes(self.count - len(self._kept), self._file)


def clip(text: str) -> str:
    """Cut `text` to `SHOWN_CHARACTERS`."""
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."


def is_secret(key: int | str) -> bool:
    """Return True if the value of `key` must not be shown, judged by its name. The path of a secret file may be."""
    name = str(key)
    return re.search(r"(?i)auth|credential|key|pass|secret|token", name) is not None and not name.endswith("_file")


def more_mistakes(count: int, file: str) -> Mistake:
    """Return the last entry of a list of mistakes that was cut by `count`."""
    return Mistake(file=file, where="file", value="", reason=f"{count:,} more mistakes are not shown")


def read_mistakes(
    error: ValidationError, *, model: type[BaseModel], raw: Mapping[str, Any], file: str
) -> tuple[Mistake, ...]:
    """Return the mistakes that pydantic found in `raw`, in file order: `SHOWN_MISTAKES`, then the number of the rest.

    Args:
        error: The error that validating `raw` raised.
        model: The model that `raw` was validated against.
        raw: The file's content.
        file: The file's name in messages.
    """
    # A default computed from a refused key is not a mistake of its own.
    found = [item for item in error.errors(include_url=False) if item["type"] != "default_factory_not_called"]
    places = _places(raw)
    found.sort(key=lambda item: _position(item["loc"], places))
    mistakes = [
        Mistake(
            file=file,
            where=_dotted(item["loc"]),
            value=_value(item, is_given=math.isfinite(_position(item["loc"], places)[-1])),
            reason=_reason(item, model),
        )
        for item in found[:SHOWN_MISTAKES]
    ]
    if len(found) > len(mistakes):
        mistakes.append(more_mistakes(len(found) - len(mistakes), file))
    return tuple(mistakes)


def _places(raw: Mapping[str, Any]) -> dict[Location, int]:
    """Return the position of each section and key in the file; a repeated section is a list."""
    return {location: place for place, location in enumerate(_locations(raw, (), MAX_DEPTH))}


def _locations(raw: Mapping[str, Any], parent: Location, depth: int) -> Iterator[Location]:
    for name, section in raw.items():
        yield (*parent, name)
        if not depth:
            continue
        if isinstance(section, dict):
            yield from _locations(section, (*parent, name), depth - 1)
        elif isinstance(section, list):
            for number, item in enumerate(section):
                if isinstance(item, dict):
                    yield from _locations(item, (*parent, name, number), depth - 1)


def _position(location: Location, places: Mapping[Location, int]) -> tuple[float, ...]:
    """Return a key's position in the file, for sorting; a missing key sorts to the end of its section."""
    return tuple(
        key if isinstance(key, int) else places.get(location[:end], math.inf)
        for end, key in enumerate(location, start=1)
    )


def _dotted(location: Location) -> str:
    path = ""
    for key in location:
        if isinstance(key, int):
            path += f"[{key}]"
        else:
            # A quoted key may contain anything, including terminal escapes.
            path += f".{key if re.fullmatch('[A-Za-z0-9_-]+', key) else json.dumps(key)}"
    return clip(path.removeprefix("."))


def _value(error: ErrorDetails, *, is_given: bool) -> str:
    """Return the offending value without secrets and URL passwords; empty for whole sections."""
    location, value = error["loc"], error["input"]
    if error["type"] == "missing" or value is None or isinstance(value, dict | list):
        return ""
    if any(is_secret(key) or key in PRIVATE_KEYS for key in location):
        return MASK
    if isinstance(value, bool):
        shown = str(value).lower()
    elif isinstance(value, int) and value.bit_length() > 256:  # Python refuses to print very long integers in decimal.
        shown = f"{value:#x}"
    else:
        shown = re.sub(r"//[^/\s]*@", f"//{MASK}@", str(value))
    return clip(shown) + ("" if is_given else " (default)")


def _reason(error: ErrorDetails, model: type[BaseModel]) -> str:
    location, context = error["loc"], error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return str(context["error"])
        case "missing":
            return "this section is needed" if len(location) == 1 else "this key is needed"
        case "extra_forbidden":
            return _unknown(location, model)
        case "model_type" | "tuple_type" as kind if kind == "model_type" or _section(location, model) is not None:
            names = [name for name in location if isinstance(name, str)]
            is_list = kind == "tuple_type" or len(location) > len(names)
            return (_EACH_SECTION if is_list else _ONE_SECTION).format(".".join(names))
        case "literal_error":
            choices = re.findall(r"'([^']*)'", context["expected"])
            given = error["input"]
            return f"{', '.join(choices[:-1])} or {choices[-1]} is expected" + (
                near_match(given, choices) if isinstance(given, str) else ""
            )
        case kind:
            return _REASONS.get(kind, error["msg"])


def _unknown(location: Location, model: type[BaseModel]) -> str:
    known = list((_section(location[:-1], model) or model).model_fields)
    suggestion = near_match(str(location[-1]), known) or f"; known are {', '.join(known)}"
    return f"unknown {'section' if len(location) == 1 else 'key'}{suggestion}"


def _section(location: Location, model: type[BaseModel]) -> type[BaseModel] | None:
    """Return the model of the section at `location`, single or repeated; None if it is not a section."""
    names = [name for name in location if isinstance(name, str)]
    if not names:
        return None
    for name in names:
        kind: Any = model.model_fields[name].annotation
        if get_origin(kind) is tuple:
            kind = get_args(kind)[0]
        if not isinstance(kind, type) or not issubclass(kind, BaseModel):
            return None
        model = kind
    return model
