"""Numbers in a unit's text are decimal numbers of ASCII digits, and nothing else that Python takes for one."""

import pytest

from agent.unit.cgminer.fields import dashed, number
from agent.unit.cgminer.rates import Rates, read_rates
from agent.unit.cgminer.summary import read_summary
from agent.unit.cgminer.watts import read_watts
from agent.unit.cgminer.wire import decode_reply
from agent.unit.reading import Fault

ARABIC = "\N{ARABIC-INDIC DIGIT ONE}\N{ARABIC-INDIC DIGIT TWO}"
FULL_WIDTH = "\N{FULLWIDTH DIGIT ONE}\N{FULLWIDTH DIGIT TWO}"


@pytest.mark.parametrize(
    ("text", "expected"), [("12", 12.0), (" 1.5\n", 1.5), ("+1e3", 1000.0), ("-.5", -0.5), ("1.", 1.0)]
)
def test_decimal_text_is_a_number(text: str, expected: float) -> None:
    """A decimal number in quotes is read, with white space around it or an exponent."""
    repairs: set[str] = set()
    assert number(text, repairs) == expected
    assert repairs == {"number_in_string"}


@pytest.mark.parametrize("text", ["2_0", "1_0.5", "1e1_0", ARABIC, FULL_WIDTH, "\N{NO-BREAK SPACE}12", "0x10"])
def test_what_python_takes_for_a_number_is_none(text: str) -> None:
    """Underscores, digits of other scripts and their blanks make no number, with the usual repair."""
    repairs: set[str] = set()
    assert number(text, repairs) is None
    assert repairs == {"wrong_type"}


def test_dashed_values_keep_their_places() -> None:
    """A part that is no number is absent, and the others stay in their places."""
    repairs: set[str] = set()
    assert dashed(f"54-5_5-{ARABIC}-56", repairs) == (54.0, None, None, 56.0)
    assert repairs == {"wrong_type"}


def test_key_with_other_digits_is_no_rate() -> None:
    """The window in the key of a rate has ASCII digits."""
    repairs: set[str] = set()
    assert read_rates({f"GHS {ARABIC[0]}5s": 7.0}, repairs) == Rates()
    assert repairs == set()


@pytest.mark.parametrize("text", [f"{ARABIC} W", FULL_WIDTH, "2_0 W"])
def test_other_digits_are_no_watts(text: str) -> None:
    """Power in other digits is absent, and so is one with an underscore: it is not cut there."""
    assert read_watts(text) is None


def test_code_in_other_digits_is_no_code() -> None:
    """A message code in other digits is no code: it could be access denied."""
    data = f'{{"STATUS":[{{"STATUS":"E","Code":"{ARABIC}"}}],"id":1}}'.encode()
    assert decode_reply(data, "stats").code is None


def test_fault_in_other_digits_is_unnamed() -> None:
    """A code of the error table has ASCII digits."""
    code = f"F:{FULL_WIDTH[0]}"
    data = f'{{"STATUS":{{"STATUS":"S"}},"SUMMARY":[{{"elapsed":1,"status":[{{"status":"e","msg":"{code}"}}]}}]}}'
    assert read_summary(data.encode(), at=0.0).faults == (Fault.UNNAMED,)
