"""Result of a scan at one address. Pure."""

import re
from enum import StrEnum
from typing import Final

import msgspec

from agent.address import Endpoint
from agent.unit.cgminer.firmware import firmware_of
from agent.unit.model_names import BITMAIN, base_key, is_board_name, plain_model
from agent.unit.reading import Identity, SystemInfo, UnitReading

LONGEST_TEXT: Final = 64
_FORMULA: Final = "=+-@ "

# Documented (D19, D20), Observed (O12): the firmware lines of `docs/antminer-api.md`.
_LINE_B = re.compile(r"FR-[0-9]")
_API_A, _API_C = "3.1", "1.0.0"


class Kind(StrEnum):
    """Machine that answers at an address, if one does; a silent or refusing address is only counted."""

    IDENTIFIED = "identified"
    UNIDENTIFIED = "unidentified"


class Found(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One address that accepted a connection.

    Attributes:
        host: The address.
        port: The API's.
        web_port: The port of its web pages, whether or not they were read.
        at: Unix time at which it was identified, s.
        kind: IDENTIFIED if a reader read it, or its page named a model, or a machine of another make told its model or
            bin, or pyasic knows it.
        reader: The reader that fits, as in `registry.READERS`; ``pyasic`` if only pyasic identified it; None for none.
        make: Its maker; None if that is not known.
        reading: As read, or as made of a machine's reports by this scan (`makes`). None if neither was read.
        info: Its identity page, or what such reports tell of it; None if neither was read.
        looks_like: What an unidentified address speaks, such as ``HTTP`` or ``a Whatsminer``; None if unknown.
        first_bytes: The beginning of its answer, printable; empty if it sent nothing.
        error: Why there is no reading; None if there is one.
        page_error: Why there is no page; None if there is one, or it was not asked for.
        named: The model and firmware that pyasic names; None without it.
    """

    host: str
    port: int
    web_port: int
    at: float
    kind: Kind
    reader: str | None = None
    make: str | None = None
    reading: UnitReading | None = None
    info: SystemInfo | None = None
    looks_like: str | None = None
    first_bytes: str = ""
    error: str | None = None
    page_error: str | None = None
    named: Identity | None = None

    @property
    def endpoint(self) -> Endpoint:
        """Address and port of its API."""
        return Endpoint(self.host, self.port)

    @property
    def is_made_of_reports(self) -> bool:
        """True if this scan made the reading of a machine's reports, and no reader did."""
        return self.reading is not None and self.reading.reader != self.reader

    @property
    def is_of_other_make(self) -> bool:
        """True for such a machine that is not an Antminer."""
        return self.is_made_of_reports and self.make != BITMAIN

    @property
    def model(self) -> str | None:
        """The model that it says it is, clean and without the maker; None if it names none, or only a hashboard."""
        names = (
            None if self.reading is None else self.reading.identity.model,
            None if self.info is None else self.info.model,
            None if self.named is None else self.named.model,
        )
        for name in names:
            text = clean(plain_model(clean(name)))
            if text and base_key(text) and not is_board_name(text):
                return text
        return None

    @property
    def firmware(self) -> str | None:
        """Its firmware's name or build date, clean; the page's before the API's, which has no names (A10)."""
        names = (
            None if self.info is None else self.info.firmware,
            None if self.reading is None else self.reading.identity.firmware,
            None if self.named is None else self.named.firmware,
        )
        return next((text for text in map(clean, names) if text), None)

    @property
    def firmware_line(self) -> str | None:
        """``stock A``, ``stock B``, ``stock C``, or the name of another firmware; None if that is not known.

        Lines as in `docs/antminer-api.md`. Documented (D20): a unit of line C may have a name of line B on its page.
        """
        if self.reading is None:
            return None
        identity = self.reading.identity
        if self.is_made_of_reports:
            return identity.miner
        other = firmware_of(identity.firmware, identity.model, identity.miner)
        if other is not None or self.reading.is_profile_ideal:
            return other
        if identity.api == _API_C:
            return "stock C"
        if self.firmware is not None and _LINE_B.match(self.firmware):
            return "stock B"
        return "stock A" if identity.api == _API_A else None


def address_order(endpoint: Endpoint) -> tuple[int, int | str, int]:
    """Return a key that sorts addresses as people do: 10.0.0.9 before 10.0.0.10, IPv4 before IPv6."""
    if ":" in endpoint.host:
        return 6, endpoint.host, endpoint.port
    return 4, int.from_bytes(map(int, endpoint.host.split("."))), endpoint.port


def clean(text: str | None) -> str:
    """Return a text of a unit as one printable line of at most `LONGEST_TEXT` characters; empty for None.

    It begins with no character that makes a spreadsheet take a cell for a formula.
    """
    if not text:
        return ""
    # Cut first: a unit decides how long its texts are.
    printable = "".join(each if each.isprintable() else " " for each in text[: 16 * LONGEST_TEXT])
    return " ".join(printable.split()).lstrip(_FORMULA)[:LONGEST_TEXT].rstrip()
