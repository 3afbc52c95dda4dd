"""The pages through TLS and users: what a viewer and an operator can do with them in a browser."""

import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from agent_pages import pages_of
from browsing import DESK, PHONE, Visit, chromium, visiting
from certificates import Authority
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from page_apis import SITE, curtailments_over
from playwright.async_api import Browser, Error, async_playwright
from simulated_site import ZONE, SimulatedSite
from web_doors import USERS, written

from agent.exporters.web import server as web
from agent.exporters.web.door.callers import user_of
from agent.exporters.web.door.door import Door
from agent.exporters.web.door.web_file import read_web_file
from agent.exporters.web.repair_api import RepairApi
from simulators.faults.unit import FanStopped

pytestmark = [pytest.mark.program("chromium"), pytest.mark.asyncio(loop_scope="session")]

TLS = "tls_server_config: {cert_file: server.pem, key_file: server.key}\n"
UNIT = "C3-R01-05"
ORDER = {"id": "test-call", "scope": {"container": "C1"}, "target_percent": 0}
POST = """async order => {
  const request = {method: "POST", body: JSON.stringify(order), headers: {"Content-Type": "application/json"}};
  const answer = await fetch("api/v1/curtailments", request);
  return [answer.status, await answer.text()];
}"""
ELSEWHERE = "https://elsewhere.invalid/"
# What a page of another site can send without being asked first.
FOREIGN_FORM = """<form method="post" enctype="text/plain" action="{address}">
<input name='{{"id": "stolen", "target_percent": 0, "source": "' value='"}}'></form>
<script>document.forms[0].submit()</script>"""


class Behind(NamedTuple):
    """A site behind TLS and users, and a browser that trusts its certificate.

    Attributes:
        browser: The browser.
        address: The site's address.
        site: The site.
        source: What its pages are made of.
    """

    browser: Browser
    address: str
    site: SimulatedSite
    source: web.Source

    @asynccontextmanager
    async def visit(self, user: str, size: tuple[int, int] = DESK) -> AsyncIterator[Visit]:
        """Open a window of a user inside the block."""
        login = {"username": user, "password": f"{user}'s"}
        async with visiting(self.browser, self.address, size=size, http_credentials=login) as visit:
            await visit.page.clock.install()
            yield visit

    async def refreshed(self, visit: Visit) -> None:
        """Let the page refresh after the next look at every unit."""
        moment = "document.querySelector('header time').textContent"
        before = await visit.page.evaluate(moment)
        self.site.look(self.site.now + 30.0)
        await visit.page.clock.run_for(10_000)
        await visit.until(f"{moment} !== {before!r}")


def fingerprint(certificate: Path) -> str:
    """Return the SHA-256 of a certificate's public key, as Chromium wants it."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    return base64.b64encode(digest).decode()


def source_behind(folder: Path, site: SimulatedSite) -> web.Source:
    """Return a source with a door, whose walk list and curtailments operators may change."""
    door = Door(read_web_file(written(folder, TLS + USERS)), operators=lambda: ("anna",))
    curtailments = curtailments_over(folder, (), site.polled.tracker.statuses, lambda: site.now)
    repairs = RepairApi(
        SITE,
        entries=site.walk.book.entries,
        unlisted=lambda: 0,
        annotate=lambda number, note, seen: site.walk.book.annotate(number, note=note, seen=seen),
        unit=site.polled.tracker.status,
        refusal=curtailments.change_refusal,
        caller=user_of,
        wall=lambda: site.now,
        zone=lambda: ZONE,
    )
    return site.source(folder, door=door, curtailments=curtailments, repairs=repairs)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def behind(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Behind]:
    """Yield the site, served once for this file."""
    folder = tmp_path_factory.mktemp("behind")
    Authority(folder, "ca").sign("server", address="127.0.0.1")
    site = SimulatedSite(units=60, containers=3, faults=((FanStopped(fan=2), f"unit={UNIT}"),))
    source = source_behind(folder, site)
    trust = f"--ignore-certificate-errors-spki-list={fingerprint(folder / 'server.pem')}"
    async with (
        web.serve(source, "127.0.0.1", 0) as (_, port),
        async_playwright() as driver,
        chromium(driver, trust) as browser,
    ):
        yield Behind(browser, f"https://127.0.0.1:{port}/", site, source)


async def test_nothing_is_shown_to_a_stranger(behind: Behind, browser: Browser) -> None:
    """A browser that does not know the authority refuses the certificate; without the right password nothing comes."""
    async with visiting(browser, behind.address) as visit:
        with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
            await visit.page.goto(behind.address)
    async with visiting(behind.browser, behind.address) as visit:
        with pytest.raises(Error, match="ERR_INVALID_AUTH_CREDENTIALS"):
            await visit.page.goto(behind.address)
    wrong = {"username": "anna", "password": "ben's"}
    async with visiting(behind.browser, behind.address, http_credentials=wrong) as visit:
        answer = await visit.page.goto(behind.address)
        assert answer is not None
        assert answer.status == 401
        assert "efficiency" not in await visit.page.content()


async def test_a_viewer_reads_every_page_and_it_refreshes(behind: Behind) -> None:
    """Every page is whole and refreshes behind the door; nothing comes from elsewhere or in the clear."""
    async with behind.visit("ben", PHONE) as visit:
        for page in pages_of(behind.source.units()):
            await visit.go(page.path)
            assert await visit.overflow_px() == 0, page.name
        assert await visit.grave_findings() == []
        await visit.go()
        await visit.page.evaluate("window.isSame = true")
        await behind.refreshed(visit)
        assert await visit.page.evaluate("window.isSame")
        visit.assert_innocent()
        assert all(address.startswith(("https:", "data:")) for address in visit.deeds.requests)


async def say(visit: Visit, note: str) -> Any:
    """Write a note on the first entry of the walk list, mark it as seen, and send it; return the dialog."""
    await visit.page.locator("button[data-say]").first.click()
    dialog = visit.page.locator("dialog[open]")
    await dialog.locator("textarea").fill(note)
    await dialog.locator("input[type=checkbox]").check()
    await dialog.locator("button[type=submit]").click()
    return dialog


async def test_a_viewer_changes_nothing(behind: Behind) -> None:
    """A viewer's note, "seen" and curtailment are refused with the reason, on the page."""
    async with behind.visit("ben") as visit:
        await visit.go("repairs")
        dialog = await say(visit, "I was here")
        await dialog.locator("[role=alert]").wait_for(state="visible")
        assert "ben may read and not change" in await dialog.inner_text()
        status, words = await visit.page.evaluate(POST, ORDER)
        assert (status, "ben may read and not change" in words) == (403, True)
        await visit.go("repairs")
        assert "I was here" not in await visit.page.inner_text("main")
        assert all("403" in said for said in visit.deeds.errors)
        assert visit.deeds.violations == []
    assert not behind.site.walk.book.entries()[0].seen


async def test_an_operator_notes_marks_and_curtails(behind: Behind) -> None:
    """Without a token an operator's note, "seen" and curtailment are kept under the name of the login."""
    async with behind.visit("anna", PHONE) as visit:
        await visit.go("repairs")
        dialog = await say(visit, "fan <b>ordered</b>")
        await dialog.wait_for(state="hidden")
        await behind.refreshed(visit)
        said = await visit.page.inner_text(".said")
        assert "seen by anna" in said
        assert "fan <b>ordered</b>" in said
        status, words = await visit.page.evaluate(POST, ORDER)
        assert status == 201, words
        await visit.go()
        assert "Container C1 to 0 % of nameplate" in await visit.page.inner_text("main")
        visit.assert_innocent()


async def test_a_page_of_another_site_declares_nothing(behind: Behind) -> None:
    """A form of another site, sent by the browser of an operator with the operator's password, is refused."""
    async with behind.visit("anna") as visit:
        await visit.go()
        html = FOREIGN_FORM.format(address=f"{behind.address}api/v1/curtailments")
        await visit.page.route(ELSEWHERE, lambda route: route.fulfill(body=html, content_type="text/html"))
        async with visit.page.expect_response("**/api/v1/curtailments") as sent:
            await visit.page.goto(ELSEWHERE)
        assert (await sent.value).status in {403, 415}
        assert behind.source.curtailments is not None
        assert "stolen" not in [event.id for event in behind.source.curtailments.declared().events]
