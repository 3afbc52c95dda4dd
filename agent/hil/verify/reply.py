"""One recorded reply as checks see it, and those of a look by request. Pure."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from agent.hil.capture import form
from agent.hil.capture.form import Capture, Ending, Moment

_CUT: Final = frozenset({Ending.RESET, Ending.SILENCE, Ending.TOO_LARGE})
# Documented (D17): these pages print the new_api reply of that name.
_PAGE: Final = re.compile(r"GET /cgi-bin/(stats|summary)\.cgi")


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded reply.

    Attributes:
        request: As in a manifest; that of a page which prints a report is the report's in the new dialect.
        data: Without the NUL; None if no byte came.
        ending: None if it is not known.
        is_page: It is a page, whose framing is another: of port 80, or of ePIC firmware.
        is_complete: Nothing was left out or cut by its publisher.
        file: Its file in the capture; empty if no byte came.
    """

    request: str
    data: bytes | None
    ending: Ending | None
    is_page: bool
    is_complete: bool
    file: str = ""

    @property
    def is_whole(self) -> bool:
        """True if bytes came and nothing cut them."""
        if self.data is None or self.ending in _CUT:
            return False
        if self.ending is not Ending.CLOSE or self.is_page:
            return True
        # Without a NUL only the text says whether more was to come.
        return self.data.rstrip().endswith(b"}") and self.data.count(b"{") == self.data.count(b"}")


def report_of(request: str) -> str:
    """Return the report that a page prints; any other request as it is."""
    page = _PAGE.fullmatch(request)
    return request if page is None else f"{page[1]} new_api"


def replies_of(capture: Capture, moment: Moment | None) -> Iterator[Reply]:
    """Yield the replies of a look to reports, pages that print one, and pages on TCP 4028."""
    recorded = capture.manifest.replies if moment is None else moment.replies
    prefix = "" if moment is None else f"{moment.folder}/"
    for reply in sorted(recorded, key=lambda reply: not _PAGE.fullmatch(reply.request)):
        page = _PAGE.fullmatch(reply.request)
        is_api_page = reply.request.startswith(form.API_PAGE)
        if reply.request.startswith("GET ") and page is None and not is_api_page:
            continue
        file = reply.file
        if file is not None and page is not None and form.is_challenge(file):
            continue
        yield Reply(
            request=report_of(reply.request),
            data=None if file is None else capture.data[prefix + file],
            ending=reply.ending,
            is_page=page is not None or is_api_page,
            is_complete=file is None or form.is_complete(file.rpartition("/")[2]),
            file="" if file is None else prefix + file,
        )
