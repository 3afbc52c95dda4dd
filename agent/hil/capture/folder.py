"""A capture's folder, read and written. A mistake in it names the file, the key and the reason."""

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from agent.errors import ConfigError, Mistake
from agent.files.atomic import sync_folder
from agent.files.regular import open_regular
from agent.hil.capture import form
from agent.hil.capture.form import Capture, CapturedUnit, Manifest, RecordedReply, Timings

MAX_FILES: Final = 20_000
MAX_FILE_BYTES: Final = 2 * 1024 * 1024
MAX_INDEX_BYTES: Final = 64 * 1024 * 1024

T = TypeVar("T")


def read_capture(folder: Path) -> Capture:
    """Return the capture in a folder, with a manifest or without.

    Raises:
        ConfigError: It is no capture, was edited so that manifest and files disagree, or has a newer form.
    """
    if not folder.is_dir():
        raise _refusal(folder, "folder", str(folder), "is no folder" if folder.exists() else "does not exist")
    manifest_file = folder / form.MANIFEST
    if manifest_file.exists():
        manifest = _read_index(manifest_file, Manifest)
        timings_file = folder / form.TIMINGS
        timings = _read_index(timings_file, Timings) if timings_file.exists() else None
        return Capture(name=_name(folder), manifest=manifest, data=_read_named(folder, manifest), timings=timings)
    files = sorted(_names(folder))
    replies = [RecordedReply(request=request, file=file) for file in files if (request := form.request_of(file))]
    if not replies:
        reason = f"holds no {form.MANIFEST} and no file named {form.API_PREFIX}COMMAND.json"
        inner = next((path for path in sorted(folder.iterdir()) if (path / form.MANIFEST).is_file()), None)
        if inner is not None:
            reason += f"; it holds captures, such as {inner.name}: name one"
        raise _refusal(folder, "folder", str(folder), reason)
    manifest = Manifest(
        form=form.FORM,
        recorded_by="",
        is_redacted=True,
        unit=CapturedUnit(),
        ports={},
        replies=tuple(_one_a_request(replies)),
    )
    data = {reply.file: _read(folder / reply.file) for reply in manifest.replies if reply.file is not None}
    return Capture(name=_name(folder), manifest=manifest, data=data, has_manifest=False)


def write_capture(folder: Path, capture: Capture, *, golden: bytes, sources: str) -> None:
    """Write a capture into a new folder: whole, or not at all.

    Files of a redacted capture may be read by everybody whom the umask allows, those of a private one by its owner.

    Args:
        folder: Must not exist, or be empty.
        capture: What to write.
        golden: Content of `golden.json`.
        sources: Content of `SOURCES.md`.

    Raises:
        ConfigError: The folder holds something already.
        OSError: It could not be written; the folder is as before. On a full disk, `errno` is `ENOSPC`.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise _refusal(folder, "folder", str(folder), "exists already and is not empty")
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = folder.parent / f".{folder.name}.{secrets.token_hex(4)}"
    content: dict[str, bytes] = {**capture.data, form.MANIFEST: encoded(capture.manifest), form.GOLDEN: golden}
    content[form.SOURCES] = sources.encode()
    if capture.timings is not None:
        content[form.TIMINGS] = encoded(capture.timings)
    try:
        _write_all(unfinished, content, is_private=not capture.manifest.is_redacted)
        unfinished.replace(folder)
        sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        error.filename, error.filename2 = str(folder), None
        raise


def encoded(value: object) -> bytes:
    """Return JSON as the files of a capture have it: indented, ASCII, one line feed at the end."""
    return json.dumps(msgspec.to_builtins(value), indent=1).encode() + b"\n"


def _write_all(folder: Path, content: Mapping[str, bytes], *, is_private: bool) -> None:
    folder.mkdir(mode=0o700 if is_private else 0o777)
    folders = {folder}
    for name, data in content.items():
        path = folder / name
        if path.parent not in folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            folders.update((path.parent, *(parent for parent in path.parents if folder in parent.parents)))
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if is_private else 0o666)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    for each in folders:
        sync_folder(each)


def _read_index(path: Path, kind: type[T]) -> T:
    data = _read(path, MAX_INDEX_BYTES)
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refusal(path, "file", "", f"is not JSON: {error}") from error
    if isinstance(document, dict) and kind is Manifest:
        number = document.get("form")
        if isinstance(number, int) and number > form.FORM:
            raise _refusal(path, "form", str(number), f"is of a newer version; this one reads up to {form.FORM}")
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        text, _, place = str(error).partition(" - at `$")
        raise _refusal(path, place.rstrip("`").lstrip(".") or "file", "", _lower(text)) from error


def _read_named(folder: Path, manifest: Manifest) -> dict[str, bytes]:
    """Return the files that a manifest names.

    Raises:
        ConfigError: One is missing, or lies outside the folder; or the folder holds a reply that it does not name.
    """
    data: dict[str, bytes] = {}
    for where, file in _named(folder, manifest):
        if file in data:
            raise _refusal(folder / form.MANIFEST, where, file, "is named twice")
        if not _is_safe(file):
            raise _refusal(folder / form.MANIFEST, where, file, "is no name of a reply")
        if not (folder / file).exists():
            raise _refusal(folder / form.MANIFEST, where, file, "is missing in the folder")
        data[file] = _read(folder / file)
    for file in _names(folder):
        if form.request_of(file) and file not in data:
            raise _refusal(folder / file, "file", file, f"is not named in {form.MANIFEST}")
    return data


def _named(folder: Path, manifest: Manifest) -> Iterable[tuple[str, str]]:
    for index, reply in enumerate(manifest.replies):
        if reply.file is not None:
            yield f"replies[{index}].file", reply.file
    for at, moment in enumerate(manifest.moments):
        if not form.is_moment(moment.folder):
            raise _refusal(
                folder / form.MANIFEST, f"moments[{at}].folder", moment.folder, f"is not {form.MOMENTS}/NN-STATE"
            )
        for index, reply in enumerate(moment.replies):
            if reply.file is not None:
                yield f"moments[{at}].replies[{index}].file", f"{moment.folder}/{reply.file}"


def _is_safe(file: str) -> bool:
    folder, _, name = file.rpartition("/")
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_+.-]*", name) is not None and (not folder or form.is_moment(folder))


def _one_a_request(replies: Iterable[RecordedReply]) -> Iterable[RecordedReply]:
    """Yield the first file of each request, in the order of names; a challenge stands beside its page."""
    seen: set[tuple[str, bool]] = set()
    for reply in replies:
        key = reply.request, form.is_challenge(reply.file or "")
        if key not in seen:
            seen.add(key)
            yield reply


def _names(folder: Path) -> list[str]:
    names = [path.name for path in folder.iterdir() if path.is_file()]
    if len(names) > MAX_FILES:
        raise _refusal(folder, "folder", str(folder), f"holds {len(names)} files, more than {MAX_FILES}")
    return names


def _read(path: Path, most: int = MAX_FILE_BYTES) -> bytes:
    try:
        with open_regular(path) as file:
            data = file.read(most + 1)
    except OSError as error:
        raise _refusal(path, "file", str(path), error.strerror or str(error)) from error
    if len(data) > most:
        raise _refusal(path, "file", str(path), f"is larger than {most} bytes")
    return data


def _name(folder: Path) -> str:
    return folder.resolve().name


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _refusal(path: Path, where: str, value: str, reason: str) -> ConfigError:
    return ConfigError([Mistake(file=str(path), where=where, value=value, reason=reason)])
