"""The unread fields of a site, by firmware: counted a unit, news once, and bounded."""

from hypothesis import given
from hypothesis import strategies as st

from agent.site.unread import MOST_FIRMWARES, Firmware, UnreadBook
from agent.unit.reading import Identity
from agent.unit.unread import MOST_NAMES, Unread, UnreadField

PRO = Identity(model="Antminer S21 Pro", firmware="Thu Jan 8 15:44:15 CST 2026")
OLD = Identity(model="Antminer S21 Pro", firmware="Fri Jul 18 2025")


def fields(*paths: str, more: int = 0) -> Unread:
    """Return fields of `stats`, each a number."""
    return Unread(
        tuple(UnreadField(report="stats new_api", path=path, times=1, form="number", example="1") for path in paths),
        more,
    )


def shown(book: UnreadBook) -> list[tuple[str | None, int, dict[str, int], int]]:
    """Return (firmware, units, units by path, more) of each firmware."""
    return [
        (each.of.firmware, each.units, {name.field.path: name.units for name in each.names}, each.more)
        for each in book.figures().firmwares
    ]


def test_a_name_is_news_once_a_firmware_and_counts_its_units() -> None:
    """The second unit with a field adds to its count and makes no news; another firmware makes its own."""
    book = UnreadBook()
    news = book.note("u1", PRO, fields("a", "b"), at=10.0)
    assert news is not None
    assert (news.of, [field.path for field in news.fields]) == (Firmware(PRO.model, PRO.firmware), ["a", "b"])
    assert book.note("u2", PRO, fields("a"), at=20.0) is None
    assert book.note("u1", PRO, fields("a", "b"), at=30.0) is None
    assert book.note("u3", OLD, fields("a"), at=40.0) is not None
    assert shown(book) == [(PRO.firmware, 2, {"a": 2, "b": 1}, 0), (OLD.firmware, 1, {"a": 1}, 0)]
    assert [name.first_seen_at for name in book.figures().firmwares[0].names] == [10.0, 10.0]
    assert book.figures().names == 3


def test_a_unit_that_changes_its_firmware_leaves_the_old_one() -> None:
    """Counts are of the latest look at each unit; a firmware that came before is no news when it comes back."""
    book = UnreadBook()
    book.note("u1", PRO, fields("a"), at=10.0)
    book.note("u1", OLD, fields(), at=20.0)
    assert shown(book) == [(OLD.firmware, 1, {}, 0)]
    assert book.note("u1", PRO, fields("a"), at=30.0) is None
    book.forget(("u1", "unknown"))
    assert (shown(book), book.figures().names) == ([], 0)


def test_names_of_a_firmware_are_bounded() -> None:
    """The rest is counted as more; a place that no unit uses is taken by a new name."""
    book = UnreadBook()
    book.note("u1", PRO, fields(*(f"n{n:02}" for n in range(MOST_NAMES)), more=3), at=1.0)
    assert book.note("u2", PRO, fields("other"), at=2.0) is None
    assert [(units, len(names), more) for _, units, names, more in shown(book)] == [(2, MOST_NAMES, 3)]
    book.note("u1", PRO, fields("n00"), at=3.0)
    news = book.note("u3", PRO, fields("late"), at=4.0)
    assert news is not None
    assert shown(book)[0][2] == {"n00": 1, "late": 1}


def test_firmwares_are_bounded() -> None:
    """Units of more firmwares are counted; one whose units are gone makes room."""
    book = UnreadBook()
    for number in range(MOST_FIRMWARES):
        book.note(f"u{number}", Identity(model="M", firmware=f"v{number}"), fields("a"), at=1.0)
    assert book.note("late", PRO, fields("a"), at=2.0) is None
    assert (len(book.figures().firmwares), book.figures().other_units) == (MOST_FIRMWARES, 1)
    book.forget(("u5",))
    assert book.note("late", PRO, fields("a"), at=3.0) is not None
    assert (len(book.figures().firmwares), book.figures().other_units) == (MOST_FIRMWARES, 0)


LOOKS = st.tuples(
    st.integers(0, 50),
    st.integers(0, 60),
    st.lists(st.integers(0, 200), unique=True, max_size=MOST_NAMES),
    st.booleans(),
)


@given(st.lists(LOOKS, max_size=60))
def test_whatever_units_say_the_book_is_bounded_and_adds_up(looks: list[tuple[int, int, list[int], bool]]) -> None:
    """Counts are those of the latest look at each unit, whatever came before and left."""
    book, present = UnreadBook(), set[str]()
    for unit, firmware, names, leaves in looks:
        unit_id = f"u{unit}"
        if leaves:
            book.forget((unit_id,))
            present.discard(unit_id)
            continue
        book.note(unit_id, Identity(model="M", firmware=f"v{firmware}"), fields(*map(str, names)), at=1.0)
        present.add(unit_id)
    figures = book.figures()
    assert len(figures.firmwares) <= MOST_FIRMWARES
    assert sum(each.units for each in figures.firmwares) + figures.other_units == len(present)
    assert all(0 < name.units <= each.units for each in figures.firmwares for name in each.names)
    assert all(len(each.names) <= MOST_NAMES for each in figures.firmwares)
