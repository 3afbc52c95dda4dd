"""A real Prometheus over a folder of recorded data."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

from programs import Program, free_port, get, program, until


@contextlib.asynccontextmanager
async def prometheus(folder: Path, rules: list[str], targets: list[str]) -> AsyncIterator[tuple[Program, str]]:
    """Run a Prometheus over the recorded data in `folder` that also scrapes `targets`."""
    address = f"127.0.0.1:{free_port()}"
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": rules,
        "scrape_configs": [{"job_name": "hashsight", "static_configs": [{"targets": targets}]}],
    }
    (folder / "prometheus.json").write_text(json.dumps(config), encoding="utf-8")
    command = (
        "prometheus",
        f"--config.file={folder / 'prometheus.json'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        "--storage.tsdb.retention.time=10y",
        f"--web.listen-address={address}",
    )
    async with program(*command, log=folder / "prometheus.log") as running:

        async def is_ready() -> bool:
            return (await get(f"http://{address}/-/ready"))[0] == 200

        await until(is_ready, running)
        yield running, f"http://{address}"
