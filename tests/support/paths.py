"""Folders of the checkout that tests read from."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "tests"
SUPPORT = TESTS / "support"
CAPTURES = TESTS / "captures"
WEB_CAPTURES = TESTS / "web_captures"
DEPLOY = ROOT / "deploy"
GRAFANA = ROOT / "grafana"
