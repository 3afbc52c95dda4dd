"""The document of a statement: figures, definitions, contents, and one signature over all of it. Pure.

Version 4 of the JSON form. Beside the fields of `Statement` at its top level there are `definitions`, `software`,
`contents` (of one site), `documents` (what a combination rests on, embedded whole with their signatures), `restates`,
`remarks` and `signature`. Whoever reads it needs nothing else to see that nothing in it was changed: the bytes are
canonical, every key is known, notes and remarks follow from the contents, figures from the parts, and the parts of a
combination are those of the documents in it.
"""

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from agent.files.signing import PublicKey, SigningKey
from agent.history.chain.links import canonical
from agent.statement.before import combined
from agent.statement.check import statement_of
from agent.statement.combining import refuse_double
from agent.statement.contents import Contents, Software
from agent.statement.definitions import METHODS, TERMS, Definitions, definitions
from agent.statement.errors import StatementError
from agent.statement.gates import doubts_of
from agent.statement.gathering import absent_of, energy_of, is_of_owner
from agent.statement.remarks import NOT_SIGNED, RESTATED, remarks_of
from agent.statement.restating import Restates
from agent.statement.signed import SIGNATURE, content_of, document_text, is_document, signed, signer_of
from agent.statement.statement import FORMAT, OWNER_METHOD, Statement

_EARLIER = f"{NOT_SIGNED}: statements of this format were not."
_LISTED = 5


class _Rest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a document has beside the statement and the signature."""

    definitions: Definitions
    software: Software
    contents: tuple[Contents, ...]
    documents: tuple[dict[str, Any], ...]
    restates: Restates | None
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A statement with what it rests on.

    Attributes:
        statement: The statement.
        format: 4; or 1 to 3 of a statement that was never signed.
        content: Its content as in its file.
        contents: Its site's contents; empty for a combination, and for earlier formats.
        documents: The documents that it combines.
        restates: The document that it replaces.
        remarks: What to know of it.
        signer: The key that signed it; None if it is not signed.
    """

    statement: Statement
    format: int
    content: dict[str, Any]
    contents: tuple[Contents, ...] = ()
    documents: tuple["Document", ...] = ()
    restates: Restates | None = None
    remarks: tuple[str, ...] = ()
    signer: PublicKey | None = None

    @property
    def text(self) -> str:
        """Its file."""
        return document_text(self.content)


def document_of(
    statement: Statement,
    *,
    software: Software,
    contents: Sequence[Contents] = (),
    documents: Sequence[Document] = (),
    restates: Restates | None = None,
    key: SigningKey | None = None,
) -> Document:
    """Return a statement's document.

    Args:
        statement: The statement.
        software: What computed it.
        contents: The contents of its one site; empty for a combination.
        documents: The documents that it combines.
        restates: What it says of an earlier document.
        key: The key to sign it with; None for a draft that is not signed.
    """
    rest = _Rest(
        definitions=definitions(),
        software=software,
        contents=tuple(contents),
        documents=tuple(each.content for each in documents),
        restates=restates,
        remarks=(),
    )
    remarks = _remarks(statement, rest, documents, is_signed=key is not None)
    rest = msgspec.structs.replace(rest, remarks=remarks)
    # Read back as it will be read from its file: a whole number in the place of a float is one then.
    content = signed(_rendered(msgspec.convert(_rendered(statement), Statement), rest), key)
    return _held(content, "the statement")


def read_document(text: bytes, file: str) -> Document:
    """Return the document of a file, of this format or an earlier one, once it holds in itself.

    Raises:
        StatementError: It is none, was changed in any way, or does not follow from its own parts.
    """
    content = content_of(text, file)
    if not is_document(content):
        return _earlier(content, file)
    return _held(content, file)


def _earlier(content: Any, file: str) -> Document:
    # An upgrade changes the content in place.
    statement = statement_of(copy.deepcopy(content), file)
    return Document(
        statement=statement,
        format=content["format"],
        content=content,
        remarks=(_EARLIER,),
    )


def _held(content: Any, file: str) -> Document:
    """Return the document of a content in canonical form."""
    if not isinstance(content, dict) or not isinstance(content.get("format"), int):
        raise StatementError(f"{file}: not a statement in JSON (--format json)")
    if content["format"] != FORMAT:
        raise StatementError(f"{file}: statement format {content['format']}, this version reads {FORMAT}")
    signer = signer_of(content, file)
    names = set(Statement.__struct_fields__)
    try:
        statement = statement_of({name: content[name] for name in names & set(content)}, file)
        others = {name: value for name, value in content.items() if name not in {*names, SIGNATURE}}
        rest = msgspec.convert(others, _Rest)
    except msgspec.ValidationError as error:
        raise StatementError(f"{file}: not a document of this format: {error}") from error
    documents = tuple(
        read_embedded(each, f"{file}: document {number}") for number, each in enumerate(rest.documents, start=1)
    )
    wrong = [*_mistakes(statement, rest, documents)]
    try:
        remarks = _remarks(statement, rest, documents, is_signed=signer is not None)
    except (ArithmeticError, OSError, ValueError) as error:
        raise StatementError(f"{file}: it has times that cannot be: {error}") from error
    expected = msgspec.structs.replace(rest, remarks=remarks)
    whole = _rendered(statement, expected) | {SIGNATURE: content.get(SIGNATURE)}
    wrong += _differences("", content, whole)
    if wrong:
        more = f"; and {len(wrong) - _LISTED} more" if len(wrong) > _LISTED else ""
        raise StatementError(f"{file}: does not follow from its own parts: {'; '.join(wrong[:_LISTED])}{more}")
    return Document(
        statement=statement,
        format=FORMAT,
        content=content,
        contents=rest.contents,
        documents=documents,
        restates=rest.restates,
        remarks=rest.remarks,
        signer=signer,
    )


def read_embedded(content: dict[str, Any], file: str) -> Document:
    """Return a document that stands in another one; arguments and errors as `read_document`."""
    return _held(content, file) if is_document(content) else _earlier(content, file)


def _remarks(statement: Statement, rest: _Rest, documents: Sequence[Document], *, is_signed: bool) -> tuple[str, ...]:
    combined = [_of_site(remark, each) for each in documents for remark in each.remarks]
    return tuple(remarks_of(rest.contents, statement.parts, combined, restates=rest.restates, is_signed=is_signed))


def _of_site(remark: str, document: Document) -> str:
    """Return a remark with the sites it is about, where it does not say so itself."""
    if not remark.startswith((NOT_SIGNED, RESTATED)):
        return remark
    return f"{', '.join(part.site for part in document.statement.parts)}: {remark}"


def _mistakes(statement: Statement, rest: _Rest, documents: Sequence[Document]) -> Iterator[str]:
    """Yield what contradicts itself in a document."""
    version = rest.definitions.version
    if version not in TERMS:
        yield f"definitions of version {version} are not known"
    elif rest.definitions.terms != TERMS[version]:
        changed = sorted(
            name
            for name in {*rest.definitions.terms, *TERMS[version]}
            if rest.definitions.terms.get(name) != TERMS[version].get(name)
        )
        yield f"definitions: {', '.join(changed[:_LISTED])} is not as version {version} defines it"
    method = METHODS.get(version, "") + (OWNER_METHOD if any(map(is_of_owner, statement.parts)) else "")
    if statement.method != method:
        yield f"method: it is not that of definitions version {version}"
    yield from _statement_mistakes(statement)
    if documents:
        yield from _combination_mistakes(statement, rest, documents)
        return
    if [each.site for each in rest.contents] != [part.site for part in statement.parts] or len(rest.contents) != 1:
        yield "contents: those of its one site are expected, or the documents that it combines"
        return
    (contents,), (part,) = rest.contents, statement.parts
    if contents.energy != energy_of(part):
        yield "contents: energy does not follow from its part"
    has_ledger = contents.deployed_steps is not None
    expected = absent_of(
        has_facts=contents.facts_since is not None,
        has_chain=contents.chain is not None,
        has_ledger=has_ledger,
        is_owners=is_of_owner(part),
    )
    if contents.absent != expected or any(
        (getattr(contents, name) is None) != (name in expected) for name in Contents.__struct_fields__
    ):
        yield "contents: absent does not name what is absent"
    if has_ledger != bool(part.unseen.ledger_digest):
        yield "contents: deployed_steps and the part's ledger_digest do not agree"


def _statement_mistakes(statement: Statement) -> Iterator[str]:
    early = [part.site for part in statement.parts if part.is_over and statement.computed_at < part.end]
    if early:
        yield f"computed_at: it is before the end of a period that is said to be over ({', '.join(early)})"
    doubts = {doubt.name for part in statement.parts for doubt in doubts_of(part)}
    if list(statement.acknowledged) != sorted(doubts & set(statement.acknowledged)):
        yield "acknowledged: it names what is in no doubt"


def _combination_mistakes(statement: Statement, rest: _Rest, documents: Sequence[Document]) -> Iterator[str]:
    parts = sorted((part for each in documents for part in each.statement.parts), key=lambda part: part.site)
    if rest.contents:
        yield "contents: a combination has none of its own"
    if tuple(parts) != statement.parts:
        yield "parts: they are not those of the documents that it combines"
    if statement.before != combined(each.statement.before for each in documents):
        yield "before: it is not that of the documents that it combines"
    try:
        refuse_double(parts)
    except StatementError as error:
        yield f"documents: {error}"
    for each in documents:
        if (each.statement.period, each.statement.days) != (statement.period, statement.days):
            yield f"documents: one is of {each.statement.period}"


def _rendered(statement: Statement, rest: _Rest | None = None) -> dict[str, Any]:
    """Return a statement, and the rest of its document, in JSON's types alone."""
    whole = msgspec.to_builtins(statement)
    if rest is not None:
        whole |= msgspec.to_builtins(rest)
    content: dict[str, Any] = json.loads(canonical(whole))
    return content


def _differences(path: str, found: Any, expected: Any) -> Iterator[str]:
    """Yield each place in which two contents differ, spelling of numbers included."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in sorted({*found, *expected}):
            below = f"{path}.{name}" if path else name
            if name not in expected:
                yield f"{below}: this format has no such key"
            elif name not in found:
                yield f"{below}: it is missing"
            else:
                yield from _differences(below, found[name], expected[name])
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            yield from _differences(f"{path}[{number}]", one, other)
    elif canonical(found) != canonical(expected):
        yield f"{path} is {_clipped(found)}, {_clipped(expected)} is expected"


def _clipped(value: Any) -> str:
    text = canonical(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
