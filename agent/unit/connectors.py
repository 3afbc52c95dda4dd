"""Connectors for fans, of which a control board has more than its model has fans: which of them are fans.

Braiins OS and VNish list every connector, used or not. Observed (O174, O183): an S9 with two fans lists eight on VNish
and four on Braiins OS, all but two at 0 rpm.
"""

from agent.unit.reading import Places


def without_empty(connectors: Places, fans: int | None, turned: frozenset[int] = frozenset()) -> Places:
    """Return the speeds of the fans, rpm, without the connectors that nothing is plugged into.

    A connector at 0 rpm is a stopped fan if a fan turned there before, or if the model has as many fans. Without
    either it has no value.

    Args:
        connectors: The speed at each, rpm.
        fans: How many fans there are; None if that is not known.
        turned: The connectors at which a fan was seen turning.
    """
    if all(connectors):
        return connectors
    if fans is None:
        known = [rpm or (0.0 if rpm == 0 and place in turned else None) for place, rpm in enumerate(connectors)]
        return tuple(known) if any(rpm is not None for rpm in known) else ()
    surplus = len(connectors) - fans
    kept: list[float | None] = []
    for place in reversed(range(len(connectors))):
        if surplus > 0 and not connectors[place] and place not in turned:
            surplus -= 1
            continue
        kept.append(connectors[place])
    return tuple(reversed(kept))
