"""The web configuration file while it is in force: read again as soon as it or a certificate changes."""

from pathlib import Path

import structlog

from agent.errors import AgentError, ConfigError, Mistake
from agent.exporters.web.door.web_file import WebFile, WebFileError, read_web_file

log = structlog.get_logger(__name__)

_Mark = tuple[tuple[int, ...], ...]


class WebFileWatch:
    """The latest good content of a web configuration file.

    A change takes effect at the next connection or request. A file that became wrong is said once; until it is right
    again, its last good content stays in force. So does one that would open the door: a file that is being written is
    empty for a moment.

    Args:
        file: Its content at the start.

    Attributes:
        trouble: Why the file as it stands now is not in force; None if it is.
    """

    def __init__(self, file: WebFile) -> None:
        self.trouble: str | None = None
        self._file = file
        # Those of the content in force, and of a refused one: a certificate that was half written may be whole later.
        self._watched = file.files
        self._mark = _mark(file.files)
        for note in file.notes:
            log.warning("web configuration", note=note)

    def current(self) -> WebFile:
        """Return the content in force, after reading the files again if one changed; costs a `stat` of each."""
        mark = _mark(self._watched)
        if mark != self._mark:
            # Before it is read: a change meanwhile is seen next time.
            self._mark = mark
            self._read_again()
        return self._file

    def _read_again(self) -> None:
        before, self.trouble = self.trouble, None
        try:
            fresh = read_web_file(self._file.path)
            self._refuse_open(fresh)
        except WebFileError as error:
            self._refuse(error, before, error.files)
            return
        except AgentError as error:
            self._refuse(error, before, ())
            return
        if fresh.files != self._watched:
            self._watched, self._mark = fresh.files, _mark(fresh.files)
        self._file = fresh
        log.info("web configuration read again", users=len(fresh.users), tls=fresh.tls is not None)
        for note in fresh.notes:
            log.warning("web configuration", note=note)

    def _refuse(self, error: AgentError, before: str | None, named: tuple[Path, ...]) -> None:
        self.trouble = "; ".join(str(error).splitlines())
        watched = tuple(dict.fromkeys((*self._file.files, *named)))
        if watched != self._watched:
            # What is new among them may have changed since it was read, so it is read once more.
            self._watched, self._mark = watched, ()
        if self.trouble != before:
            log.error("web configuration refused", mistakes=self.trouble, in_force="the last good one")

    def _refuse_open(self, fresh: WebFile) -> None:
        lost = []
        if self._file.tls is not None and fresh.tls is None:
            lost.append("tls_server_config")
        if self._file.users and not fresh.users:
            lost.append("basic_auth_users")
        if lost:
            reason = "was there at the start and is gone; restart the agent to serve without it"
            raise ConfigError(Mistake(file=str(fresh.path), where=section, value="", reason=reason) for section in lost)


def _mark(files: tuple[Path, ...]) -> _Mark:
    """Return what changes with the content, the place or the rights of these files."""
    return tuple(map(_mark_of, files))


def _mark_of(file: Path) -> tuple[int, ...]:
    try:
        found = file.stat()
    except OSError as error:
        return (error.errno or 0,)
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
