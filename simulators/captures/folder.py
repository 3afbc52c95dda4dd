"""A capture's folder, read. Every mistake in it comes with its file, key, value and reason."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from simulators.captures import form
from simulators.captures.form import Answer, Ending, Manifest, RecordedMoment, Recording, Reply, Timings
from simulators.captures.pages import RawPageError, is_raw, read_raw

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
MAX_INDEX_BYTES: Final = 64 * 1024 * 1024
MAX_REPLIES: Final = 20_000
MAX_NAMED_MISTAKES: Final = 20

_SHOWN_CHARACTERS = 80
_OF_THE_API = frozenset({Ending.NUL_CLOSE, Ending.NUL})
_WHOLE_PAGE = frozenset({None, Ending.LENGTH})
_API_PLACE = form.API_PAGE.removeprefix("GET ")
_LENGTH = re.compile(r"(?im)^content-length:[ \t]*(\d{1,9})[ \t\r]*$")

T = TypeVar("T")


class CaptureError(ValueError):
    """A capture that cannot be used; the message names file, key, value and reason, one mistake a line."""


def read_capture(path: Path) -> Recording:
    """Return the capture in a folder; or the one reply in a file, as a capture of its own.

    Raises:
        CaptureError: It is no capture, is of a newer form, or manifest and files disagree.
    """
    if not path.exists():
        raise CaptureError(f"{path}: no such file or directory")
    if not path.is_dir():
        if not path.name.startswith((form.API_PREFIX, form.PAGE_PREFIX, form.API_PAGE_PREFIX)):
            raise CaptureError(f"{path}: the name of a recorded reply starts with {form.API_PREFIX}")
        return Recording(name=path.resolve().parent.name, answers=(_loose_answer(path),), ports={}, has_manifest=False)
    if (path / form.MANIFEST).exists():
        return _with_manifest(path)
    files = sorted(file for file in path.iterdir() if file.is_file() and form.request_of(file.name))
    if len(files) > MAX_REPLIES:
        raise CaptureError(f"{path}: holds {len(files)} replies, more than {MAX_REPLIES}")
    if not files:
        raise CaptureError(f"{path}: holds no file named {form.API_PREFIX}COMMAND.json, and no {form.MANIFEST}")
    return Recording(
        name=path.resolve().name,
        answers=tuple(_first_of_each(map(_loose_answer, files))),
        ports={},
        has_manifest=False,
    )


def _loose_answer(file: Path) -> Answer:
    """Return the reply in a file that no manifest describes; a page may have its head before it."""
    request, data = form.request_of(file.name), _read(file)
    if request is None:
        raise CaptureError(f"{file}: the name of a recorded reply starts with {form.API_PREFIX}")
    is_page = request.startswith("GET ")
    if not is_page or not is_raw(data):
        is_login = is_page and not request.startswith(form.API_PAGE) and not form.is_challenge(file.name)
        return Answer(reply=Reply(request=request, file=file.name, has_login=is_login), data=data)
    try:
        page = read_raw(data)
    except RawPageError as error:
        raise CaptureError(f"{file}: {error}") from error
    reply = Reply(
        request=request,
        file=file.name,
        ending=Ending.LENGTH,
        status=page.status,
        head=page.head,
        chunks=page.chunks,
        has_login=page.status != 401,
    )
    return Answer(reply=reply, data=page.body)


def _first_of_each(answers: Iterable[Answer]) -> Iterator[Answer]:
    """Yield the first answer of each request: `tcp4028-stats.json` wins over `tcp4028-stats.truncated.txt`."""
    seen: set[tuple[str, bool]] = set()
    for answer in answers:
        key = answer.reply.request, answer.reply.has_login
        if key not in seen:
            seen.add(key)
            yield answer


def _with_manifest(folder: Path) -> Recording:
    manifest = _read_index(folder / form.MANIFEST, Manifest)
    check = _Check(folder)
    ports = {}
    for number, state in manifest.ports.items():
        if re.fullmatch(r"[0-9]{1,5}", number) and 0 < int(number) <= 65535:
            ports[int(number)] = state
        else:
            check.note(f"ports.{number}", number, "is no number of a TCP port")
    answers = check.answers("", "replies", manifest.replies)
    moments = []
    for at, moment in enumerate(manifest.moments):
        if not form.is_moment(moment.folder):
            check.note(f"moments[{at}].folder", moment.folder, "is not moments/NN-STATE")
            continue
        found = check.answers(f"{moment.folder}/", f"moments[{at}].replies", moment.replies)
        moments.append(RecordedMoment(folder=moment.folder, state=moment.state, answers=found))
    check.finish()
    timings = folder / form.TIMINGS
    return Recording(
        name=folder.resolve().name,
        answers=answers,
        unit=manifest.unit,
        ports=ports,
        moments=tuple(moments),
        timings=_read_index(timings, Timings) if timings.exists() else None,
    )


class _Check:
    """A manifest held against the files of its folder.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / form.MANIFEST
        self._named: set[str] = set()
        self._mistakes: list[str] = []

    def note(self, key: str, value: str, reason: str) -> None:
        """Add a mistake in the manifest."""
        self._mistakes.append(_mistake(self._path, key, value, reason))

    def answers(self, prefix: str, key: str, replies: tuple[Reply, ...]) -> tuple[Answer, ...]:
        """Return the replies of a list in the manifest with their bytes.

        Args:
            prefix: The moment's folder and a slash; empty for the first replies.
            key: Key of the list.
            replies: The list.
        """
        if len(replies) > MAX_REPLIES:
            raise CaptureError(_mistake(self._path, key, str(len(replies)), f"are more than {MAX_REPLIES} replies"))
        answers = []
        for at, reply in enumerate(replies):
            where = f"{key}[{at}]"
            wrong = _wrong(reply)
            if wrong is not None:
                self.note(f"{where}.{wrong[0]}", wrong[1], wrong[2])
            if reply.file is None:
                answers.append(Answer(reply=reply))
                continue
            file = prefix + reply.file
            if not form.is_file(reply.file):
                self.note(f"{where}.file", reply.file, "is no name of a reply")
            elif file in self._named:
                self.note(f"{where}.file", file, "is named twice")
            elif not (self._folder / file).is_file():
                self.note(f"{where}.file", file, "is missing in the folder")
            else:
                data = _read(self._folder / file)
                answers.append(Answer(reply=reply, data=data))
                misfit = _misfit(reply, len(data))
                if misfit is not None and wrong is None:
                    self.note(f"{where}.{misfit[0]}", misfit[1], misfit[2])
            self._named.add(file)
        return tuple(answers)

    def finish(self) -> None:
        """Refuse a reply that the manifest does not name, since it would silently not be served; and every mistake.

        Raises:
            CaptureError: There is a mistake.
        """
        self._mistakes += [
            f"{file}: is not named in {form.MANIFEST}"
            for file in sorted(self._folder.iterdir())
            if file.is_file() and form.request_of(file.name) and file.name not in self._named
        ]
        if self._mistakes:
            rest = len(self._mistakes) - MAX_NAMED_MISTAKES
            more = [f"{self._path}: and {rest} more mistakes"] if rest > 0 else []
            raise CaptureError("\n".join([*self._mistakes[:MAX_NAMED_MISTAKES], *more]))


def _wrong(reply: Reply) -> tuple[str, str, str] | None:
    """Return key, value and reason of the first thing that no reply can be; None if there is none."""
    words = reply.request.split(" ")
    if not all(words) or (reply.is_page and (len(words) != 2 or not words[1].removeprefix(_API_PLACE).startswith("/"))):
        return "request", reply.request, "is neither a command with its words nor GET and a path"
    if reply.ending is not None and reply.is_page and reply.ending in _OF_THE_API:
        return "ending", reply.ending.value, "is no ending of a page"
    if reply.ending is Ending.LENGTH and not reply.is_page:
        return "ending", reply.ending.value, "is an ending of pages only"
    if reply.head is not None and (not reply.is_page or not is_raw(reply.head.encode("latin-1", "replace"))):
        return "head", reply.head, "does not begin with the status line of a page"
    if any(size < 1 for size in reply.chunks):
        return "chunks", str(list(reply.chunks)), "are not sizes in bytes"
    return None


def _misfit(reply: Reply, size: int) -> tuple[str, str, str] | None:
    """Return key, value and reason if a page is not as long as was noted, as after an edit by hand; else None."""
    if not reply.is_page or reply.ending not in _WHOLE_PAGE:
        return None
    if reply.chunks and sum(reply.chunks) != size:
        return "chunks", str(list(reply.chunks)), f"add up to {sum(reply.chunks)} bytes, and {reply.file} has {size}"
    length = _LENGTH.search(reply.head or "")
    if length is not None and not reply.chunks and int(length[1]) != size:
        return "head", length[0].strip(), f"differs from {reply.file}, which has {size} bytes"
    return None


def _read_index(path: Path, kind: type[T]) -> T:
    """Return the content of a manifest or of timings.

    Raises:
        CaptureError: It is not JSON, of a newer form, or has a wrong or unknown key.
    """
    try:
        document = msgspec.json.decode(_read(path, MAX_INDEX_BYTES))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CaptureError(f"{path}: is not JSON: {error}") from error
    if kind is Manifest and isinstance(document, dict):
        number = document.get("form")
        if isinstance(number, int) and number > form.NEWEST_FORM:
            reason = f"is of a newer version; this one reads up to {form.NEWEST_FORM}"
            raise CaptureError(_mistake(path, "form", str(number), reason))
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `$")
        key = place.rstrip("`").lstrip(".") or "file"
        raise CaptureError(_mistake(path, key, _value_at(document, key), text[:1].lower() + text[1:])) from error


def _value_at(document: object, key: str) -> str:
    """Return the value at a key such as ``replies[2].ending``, as text; empty if it is not plain."""
    for step in re.findall(r"[^.\[\]]+", key):
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return ""
    return "" if isinstance(document, dict | list) or document is None else str(document)


def _read(path: Path, most: int = MAX_FILE_BYTES) -> bytes:
    if not path.is_file():
        raise CaptureError(f"{path}: is no regular file")
    try:
        with path.open("rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise CaptureError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    if len(data) > most:
        raise CaptureError(f"{path}: is larger than {most} bytes")
    return data


def _mistake(path: Path, key: str, value: str, reason: str) -> str:
    shown = value if len(value) <= _SHOWN_CHARACTERS else value[:_SHOWN_CHARACTERS] + "..."
    return f"{path}: {key}{f' = {shown!r}' if value else ''}: {reason}"
