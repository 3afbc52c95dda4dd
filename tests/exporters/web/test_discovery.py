"""What a look found, as JSON and on the status page."""

from functools import cache
from typing import Any

import jsonschema
import msgspec
import pytest
from discovery_cases import AT, figures, machines, seen
from exporter_cases import entry, reading, status
from hypothesis import given
from hypothesis import strategies as st
from web_site import UNITS, get_json, served, source

from agent.exporters.web.discovery_answers import MACHINES_LISTED, discovery_answer
from agent.exporters.web.pages.discovery_card import MACHINES_NAMED, discovery_card, machine_text
from agent.exporters.web.pages.frame import UTC_ZONE
from agent.exporters.web.site_answers import schema
from agent.hil.discovery.figures import DiscoveryFigures, Machine, MachineKind
from agent.site.mismatch import Mismatch

UNLISTED = Machine(seen=seen(), kind=MachineKind.UNLISTED)


async def test_the_answer_has_the_look_its_machines_and_the_mismatched_units() -> None:
    """All that is needed to correct the ledger, in base units."""
    other = msgspec.structs.replace(status(entry("a7"), reading("a7")), mismatch=Mismatch("T21", None))
    shown = source((*UNITS, other), discovery=lambda: figures(UNLISTED))
    async with served(shown) as client:
        answer = await get_json(client, "/api/v1/discovery")
    assert (answer["is_on"], answer["ranges"], answer["addresses"]) == (True, ["10.0.1.0/24"], 254)
    assert (answer["looked_at"], answer["took_s"]) == ("2025-11-20T21:36:00Z", 30.0)
    assert answer["machines_by_kind"] == {"unlisted": 1, "not_deployed": 0, "moved": 0, "unidentified": 0}
    (machine,) = answer["machines"]
    assert (machine["address"], machine["model"], machine["hashrate_hs"]) == (
        "10.0.1.7:4028",
        "Antminer S21",
        200e12,
    )
    assert answer["mismatched_units"] == [
        {"unit_id": "a7", "remark": "answers as T21; the ledger says S21 of 200 TH/s"}
    ]


@cache
def validator() -> jsonschema.Draft202012Validator:
    """Return the validator of the published schema of an answer."""
    return jsonschema.Draft202012Validator({"$ref": "#/$defs/DiscoveryAnswer", "$defs": schema()["$defs"]})


@given(st.lists(machines(), max_size=8))
def test_every_answer_is_as_its_schema_says(found: list[Machine]) -> None:
    """Whatever answers, the published schema describes it."""
    answer = msgspec.json.decode(msgspec.json.encode(discovery_answer(figures(*found), UNITS, AT)))
    validator().validate(answer)


def test_the_answer_lists_a_thousand_and_counts_all() -> None:
    """A network where nothing is in the ledger is told in its count."""
    answer = discovery_answer(figures(*[UNLISTED] * (MACHINES_LISTED + 5)), (), AT)
    assert (len(answer.machines), answer.machines_by_kind[MachineKind.UNLISTED]) == (1000, 1005)


def test_without_discovery_the_answer_says_so() -> None:
    """Null is not zero: nothing was looked at."""
    answer = discovery_answer(DiscoveryFigures(), (), AT)
    assert (answer.is_on, answer.addresses, answer.machines_by_kind, answer.machines) == (False, None, {}, [])


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (UNLISTED, "Antminer S21, in no row of the ledger"),
        (Machine(seen=seen(model=None), kind=MachineKind.UNLISTED), "a unit without a model, in no row of the ledger"),
        (
            Machine(seen=seen(), kind=MachineKind.MOVED, unit_id="u5"),
            "Antminer S21: u5 of the ledger, at another address than its own",
        ),
        (
            Machine(seen=seen(), kind=MachineKind.NOT_DEPLOYED, unit_id="u5"),
            "Antminer S21: u5 of the ledger, of which no row is in force",
        ),
        (
            Machine(seen=seen(looks_like="a Whatsminer"), kind=MachineKind.UNIDENTIFIED),
            "not identified, looks like a Whatsminer",
        ),
        (Machine(seen=seen(), kind=MachineKind.UNIDENTIFIED), "not identified"),
    ],
)
def test_each_kind_has_its_words(machine: Machine, words: str) -> None:
    """One line that says what it is and how it stands to the ledger."""
    assert machine_text(machine) == words


def test_the_card_names_some_and_counts_the_rest() -> None:
    """It says when the look was, and that none of it counts."""
    card = discovery_card(figures(*[UNLISTED] * (MACHINES_NAMED + 3)), UTC_ZONE)
    assert "<h2>Not in the ledger: 15 machines</h2>" in card
    assert card.count("<li>") == MACHINES_NAMED
    assert "and 3 more" in card
    assert "as of 2025-11-20 21:36 in UTC; counted in no figure" in card


@pytest.mark.parametrize("found", [DiscoveryFigures(), figures(), figures(look=None)])
def test_there_is_no_card_without_machines(found: DiscoveryFigures) -> None:
    """Discovery that is off, that has not looked, or that found nothing new takes no room."""
    assert discovery_card(found, UTC_ZONE) == ""


async def test_the_page_shows_the_card_and_no_markup_from_a_machine() -> None:
    """A machine's own words are text."""
    hostile = Machine(seen=seen(model="<script>alert(1)</script>"), kind=MachineKind.UNLISTED)
    async with served(source(discovery=lambda: figures(hostile))) as client, client.get("/") as reply:
        page = await reply.text()
    assert "Not in the ledger: 1 machine</h2>" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;, in no row of the ledger" in page
    assert "<script>" not in page


def test_the_schema_names_the_answer() -> None:
    """It is among the published ones."""
    document: dict[str, Any] = schema()
    assert "DiscoveryAnswer" in document["$defs"]
