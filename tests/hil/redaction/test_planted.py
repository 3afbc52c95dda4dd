"""No secret survives in any string of any reply; lengths and JSON stay; equal secrets get equal pseudonyms.

`CAPTURES_TO_REDACT`, a folder of captures, takes the place of those in this repository.
"""

import json
import os
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paths import CAPTURES, WEB_CAPTURES
from planting import SECRETS, capture_of, places, planted, redacted, secrets, strings, written

_OWN = os.environ.get("CAPTURES_TO_REDACT")
FOLDERS = sorted(
    folder
    for root in ([Path(_OWN)] if _OWN else [CAPTURES, WEB_CAPTURES])
    for folder in {path.parent for path in root.rglob("*") if path.is_file()}
    if folder != root or _OWN
)
IDS = [folder.name for folder in FOLDERS]
ALL_FOLDERS = pytest.mark.parametrize("folder", FOLDERS, ids=IDS)


def is_json(data: bytes) -> bool:
    """Return True if a reply is valid JSON."""
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


def same_shape(one: object, other: object) -> bool:
    """Return True if two replies, decoded by `decoded`, differ in strings and in names of fields only."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_shape, one, other))
    return type(one) is type(other) and (isinstance(one, str) or one == other)


def decoded(data: bytes) -> object:
    """Return a reply with each object as a list of pairs: a planted text may stand as two names of one object."""
    return json.loads(data, object_pairs_hook=lambda pairs: [list(pair) for pair in pairs])


def check(before: dict[str, bytes], after: dict[str, bytes]) -> None:
    """Assert that lengths, validity and everything but strings stayed."""
    for name, data in before.items():
        assert len(after[name]) == len(data), name
        if is_json(data):
            assert same_shape(decoded(data), decoded(after[name])), name


@ALL_FOLDERS
def test_a_secret_in_any_one_string_does_not_survive(folder: Path) -> None:
    """Each string of each reply, keys included, held one secret; kinds take turns.

    Of a reply with more than 250 strings, which none here has, some are left out.
    """
    kinds = cycle(SECRETS.values())
    for name, data in capture_of(folder).items():
        all_places = places(data)
        for place in all_places[:: len(all_places) // 250 + 1]:
            secret = next(kinds)
            before = {name: planted(data, {place: secret})}
            after = redacted(before)
            assert written(secret) not in after[name], (name, place, secret)
            check(before, after)


@ALL_FOLDERS
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_secret_in_all_strings_does_not_survive(folder: Path, secret: str) -> None:
    """One secret in every string but the keys becomes one pseudonym of its length, and a redacted capture stays."""
    capture = capture_of(folder)
    before = {
        name: planted(data, {place: secret for place in places(data) if data[place[1] + 1 :].lstrip()[:1] != b":"})
        for name, data in capture.items()
    }
    after = redacted(before)
    check(before, after)
    assert not [name for name, data in after.items() if written(secret) in data]
    pseudonyms = {text for data in after.values() if is_json(data) for text in strings(json.loads(data))}
    assert len(pseudonyms) <= 1
    assert redacted(after) == after


@ALL_FOLDERS
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_secrets_of_all_kinds_at_once_do_not_survive(folder: Path, data: st.DataObject) -> None:
    """Different secrets stood in all strings at once; distinct ones got distinct pseudonyms."""
    chosen = data.draw(st.lists(secrets(), min_size=4, max_size=30, unique=True))
    turns = cycle(chosen)
    before = {
        name: planted(reply, {place: next(turns) for place in places(reply)})
        for name, reply in capture_of(folder).items()
    }
    after = redacted(before)
    check(before, after)
    joined = b"\n".join(after.values())
    assert not [secret for secret in chosen if written(secret) in joined]
    assert redacted(after) == after


@ALL_FOLDERS
def test_a_redacted_capture_stays(folder: Path) -> None:
    """What was recorded from a replayed capture is that capture."""
    capture = capture_of(folder)
    after = redacted(capture)
    check(capture, after)
    assert redacted(after) == after


def test_a_library_of_captures_stays() -> None:
    """All captures as one: the numbers of pseudonyms do not shift."""
    capture = {f"{folder.name}/{name}": data for folder in FOLDERS for name, data in capture_of(folder).items()}
    after = redacted(capture)
    check(capture, after)
    assert redacted(after) == after
