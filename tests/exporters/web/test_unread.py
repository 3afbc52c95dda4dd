"""Fields that no reader uses, as JSON and on the status page."""

from functools import cache

import jsonschema
import msgspec
from hypothesis import given
from hypothesis import strategies as st
from web_site import UNITS, get_json, served, source

from agent.exporters.web.pages.unread_card import FIELDS_NAMED, FIRMWARES_NAMED, unread_card
from agent.exporters.web.site_answers import schema
from agent.exporters.web.unread_answers import unread_answer
from agent.site.unread import Firmware, FirmwareFields, UnreadFigures, UnreadName
from agent.unit.unread import UnreadField

AT = 1763674560.0
WATT = UnreadName(
    UnreadField(report="stats new_api", path="STATS[].watt", times=1, form="number", example="3499"), 4, AT
)
PRO = Firmware("Antminer S21 Pro", "Thu Jan 8 <b> 2026")


def figures(*names: UnreadName, more: int = 0) -> UnreadFigures:
    """Return the fields of one firmware."""
    return UnreadFigures((FirmwareFields(PRO, 7, names, more),))


async def test_the_answer_names_the_fields_of_each_firmware() -> None:
    """With example, units and the time; firmware without news is listed with none."""
    old = FirmwareFields(Firmware(None, None), 2, (), 0)
    shown = source(UNITS, unread=lambda: UnreadFigures((*figures(WATT).firmwares, old), 3))
    async with served(shown) as client:
        answer = await get_json(client, "/api/v1/unread")
        page = await (await client.get("/")).text()
    assert answer["firmwares"] == [
        {
            "model": "Antminer S21 Pro",
            "firmware": "Thu Jan 8 <b> 2026",
            "units": 7,
            "fields": [
                {
                    "report": "stats new_api",
                    "path": "STATS[].watt",
                    "form": "number",
                    "example": "3499",
                    "times_a_reply": 1,
                    "units": 4,
                    "first_seen_at": "2025-11-20T21:36:00Z",
                }
            ],
            "more": 0,
        },
        {"model": None, "firmware": None, "units": 2, "fields": [], "more": 0},
    ]
    assert answer["other_units"] == 3
    assert "Fields no reader uses: 1" in page
    assert "&lt;b&gt;" in page


@cache
def validator() -> jsonschema.Draft202012Validator:
    """Return the validator of the published schema of an answer."""
    return jsonschema.Draft202012Validator({"$ref": "#/$defs/UnreadAnswer", "$defs": schema()["$defs"]})


@given(st.text(max_size=5), st.one_of(st.none(), st.text(max_size=5)), st.integers(0, 9))
def test_every_answer_is_as_its_schema_says(path: str, example: str | None, more: int) -> None:
    """Whatever units send, the published schema describes it."""
    field = UnreadField(report="pools", path=path, times=1, form="number", example=example)
    answer = msgspec.json.decode(msgspec.json.encode(unread_answer(figures(UnreadName(field, 1, AT), more=more), AT)))
    validator().validate(answer)


def test_the_card_is_there_only_with_news_and_is_bounded() -> None:
    """Nothing to say is no card; many fields and firmwares are named in part and counted."""
    assert unread_card(UnreadFigures()) == unread_card(figures()) == ""
    many = tuple(WATT._replace(field=msgspec.structs.replace(WATT.field, path=f"a<{n}")) for n in range(20))
    card = unread_card(UnreadFigures((FirmwareFields(PRO, 1, many, 2),) * 8))
    assert card.count("<code>") == FIRMWARES_NAMED * FIELDS_NAMED
    assert (card.count("and 14 more"), "and 2 more firmwares" in card, "a<0" in card) == (6, True, False)
