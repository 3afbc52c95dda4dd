"""What units say of their nameplates, in words that statement, terminal and page share. Pure."""

from typing import Protocol

from agent.site.nameplates import WordSource
from agent.unit.limits import HS_PER_THS

_WORDS = {
    WordSource.RATE_SALE: "rate_sale",
    WordSource.RATE_IDEAL: "rate_ideal",
    WordSource.MODEL_NAME: "in the model's name",
    WordSource.MODEL: "the nearest bin of that model",
}


class SaidNameplate(Protocol):
    """A row's nameplate beside a unit's own word."""

    @property
    def model(self) -> str:
        """Model of the row."""

    @property
    def row_hs(self) -> float:
        """Bin of the row, H/s."""

    @property
    def own_model(self) -> str | None:
        """The model that the unit answers as, if it is another one."""

    @property
    def own_hs(self) -> float:
        """The unit's own word, H/s."""

    @property
    def source(self) -> WordSource:
        """Where it stands."""


def nameplate_text(said: SaidNameplate, whose: str = "its") -> str:
    """Return ``S21 of 151 TH/s in the ledger, 200 TH/s by its own word (rate_sale)``."""
    own_model = "" if said.own_model is None else f"{said.own_model} of "
    row = f"{said.model} of {said.row_hs / HS_PER_THS:.6g} TH/s"
    own = f"{own_model}{said.own_hs / HS_PER_THS:.6g} TH/s"
    return f"{row} in the ledger, {own} by {whose} own word ({_WORDS[said.source]})"
