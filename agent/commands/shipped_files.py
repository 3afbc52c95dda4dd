"""Files that are shipped beside the code: in a checkout, or where the wheel and the Debian package install them."""

import sys
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]
_SHARED = Path(sys.prefix) / "share/hashsight"


def shipped(in_checkout: str, in_share: str) -> Path:
    """Return a shipped file or folder: the checkout's, or else the installed one; it may not exist."""
    path = _CHECKOUT / in_checkout
    return path if path.exists() else _SHARED / in_share
