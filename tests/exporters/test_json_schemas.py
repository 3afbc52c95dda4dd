"""Schemas of published types."""

import msgspec

from agent.exporters.json_schemas import schema_components


class Inner(msgspec.Struct):
    """A pump.

    Attributes:
        litres: Water moved, l.
    """

    litres: float


class Outer(msgspec.Struct):
    """A pump station."""

    pumps: list[Inner]


def test_descriptions_have_no_indentation_of_the_source() -> None:
    """The text is that of the docstring's paragraphs under every Python: older ones keep the indentation in it."""
    (reference,), definitions = schema_components([Outer])
    assert reference == {"$ref": "#/$defs/Outer"}
    assert {name: definition["description"] for name, definition in definitions.items()} == {
        "Outer": "A pump station.",
        "Inner": "A pump.\n\nAttributes:\n    litres: Water moved, l.",
    }
    assert definitions["Outer"]["properties"]["pumps"]["items"] == {"$ref": "#/$defs/Inner"}
