"""Cases from the field (`tests/cases`): each folder as a unit on loopback."""

import asyncio
import json
from pathlib import Path
from typing import Any, NamedTuple

from loopback import REQUEST_BYTES, Behaviour
from paths import ROOT

from agent.unit.nameplate import Nameplate

CASES = ROOT / "tests" / "cases"
UNKNOWN = (
    b'{"STATUS":[{"STATUS":"E","When":0,"Code":14,"Msg":"Invalid command","Description":"cgminer 1.0.0"}],"id":1}\0'
)


class FieldCase(NamedTuple):
    """One case: the answers of a unit by command, and the row of the ledger that it is read with."""

    answers: dict[str, bytes]
    ledger: dict[str, Any]

    @property
    def nameplate(self) -> Nameplate:
        """The ledger's nameplate: three boards of 108 chips, as an S21 has, at 17.5 J/TH."""
        th = self.ledger["ledger_th"]
        return Nameplate(
            model=self.ledger["ledger_model"],
            hashrate_hs=th * 1e12,
            power_watts=th * 17.5,
            boards=3,
            chips_per_board=108,
            cooling="air",
            source="tests/cases",
        )

    def answer(self, request: bytes) -> bytes:
        """Return the bytes that the unit answers."""
        asked = json.loads(request) if request.startswith(b"{") else {"command": "page"}
        command = str(asked["command"])
        keys = [command, "any"]
        if asked.get("new_api"):
            keys.insert(0, f"{command}-new")
        return next((self.answers[key] for key in keys if key in self.answers), UNKNOWN)


def field_case(name: str) -> FieldCase:
    """Return the case in the folder of this name."""
    folder = CASES / name
    answers = {path.stem: path.read_bytes() for path in folder.glob("*.raw")}
    for path in folder.glob("*.json"):
        if path.name != "case.json":
            answers[path.stem] = json.dumps(json.loads(path.read_bytes())).encode() + b"\0"
    return FieldCase(answers, json.loads((folder / "case.json").read_bytes()))


def case_names() -> list[str]:
    """Return the names of all cases."""
    return sorted(path.parent.name for path in Path(CASES).glob("*/case.json"))


def behaving(case: FieldCase) -> Behaviour:
    """Answer as the unit of a case does."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(case.answer(await reader.read(REQUEST_BYTES)))
        await writer.drain()

    return behave
