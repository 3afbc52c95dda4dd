"""What tests of the package in a bare Debian share: the package itself, and a Debian booted by systemd."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bare_debian import BareDebian, bare_debian, require
from debian_packages import whole_package


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the package of this checkout, with all locked packages inside."""
    require()
    return whole_package(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BareDebian]:
    """Yield a Debian whose first process is systemd; skip where it does not come up."""
    with bare_debian(tmp_path_factory.mktemp("booted"), is_booted=True) as made:
        try:
            made.until("sh", "-c", "systemctl is-system-running | grep -qE 'running|degraded'")
        except AssertionError:
            pytest.skip("systemd does not come up in a namespace of this machine")
        yield made
