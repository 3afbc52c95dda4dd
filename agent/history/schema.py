"""The history file's tables, version by version.

A file's ``user_version`` is the number of `MIGRATIONS` applied to it. A released migration is never changed; a new one
is appended. Each runs in one transaction, so that a file is at one version or the next.
"""

from collections.abc import Mapping

from agent.errors import HistoryError
from agent.files.sqlite import FileKind

APPLICATION_ID = 0x68736768
"""``hsgh``: distinguishes our files from other programs' SQLite databases (``PRAGMA application_id``)."""

# The columns of version 1. Later versions change them by migrations.
_FIGURES = """
    span_s INTEGER NOT NULL,
    watched_s REAL NOT NULL,
    units REAL NOT NULL,
    deployed_hs REAL NOT NULL,
    operating_hs REAL NOT NULL,
    uplift_hs REAL NOT NULL,
    loss_curtailed_hs REAL NOT NULL,
    loss_maintenance_hs REAL NOT NULL,
    loss_unreachable_hs REAL NOT NULL,
    loss_unreadable_hs REAL NOT NULL,
    loss_stopped_hs REAL NOT NULL,
    loss_starting_hs REAL NOT NULL,
    loss_missing_boards_hs REAL NOT NULL,
    loss_missing_chips_hs REAL NOT NULL,
    loss_derated_hs REAL NOT NULL,
    loss_underperforming_hs REAL NOT NULL,
    known_hs REAL NOT NULL,
    watts_metered REAL NOT NULL,
    watts_reported REAL NOT NULL,
    watts_modelled REAL NOT NULL,
    efficient_watts REAL NOT NULL,
    efficient_hs REAL NOT NULL,
    efficient_deployed_hs REAL NOT NULL,
    delivered_deployed_hs REAL NOT NULL,
    units_hashing REAL NOT NULL,
    units_starting REAL NOT NULL,
    units_stopped REAL NOT NULL,
    units_curtailed REAL NOT NULL,
    units_maintenance REAL NOT NULL,
    units_unreachable REAL NOT NULL,
    units_unreadable REAL NOT NULL,
    simulated_units REAL NOT NULL,
    delivered_s REAL NOT NULL,
    delivered_hs REAL
"""

# The columns of version 4, for a table that is made then.
_FIGURES_5 = f"""{_FIGURES.replace("watts_reported", "watts_estimated")},
    watts_measured REAL NOT NULL DEFAULT 0.0,
    judged_s REAL NOT NULL DEFAULT 0.0,
    diverted_hs REAL
"""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        f"PRAGMA application_id = {APPLICATION_ID}",
        "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
        # Containers, units, states and reasons, once each; rows refer to them by id.
        "CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)",
        f"CREATE TABLE site (at INTEGER PRIMARY KEY, {_FIGURES})",
        f"""
        CREATE TABLE containers (at INTEGER, container INTEGER, {_FIGURES}, PRIMARY KEY (at, container)) WITHOUT ROWID
        """,
        """
        CREATE TABLE changes (
            since REAL, unit INTEGER, until REAL, state INTEGER NOT NULL, why INTEGER NOT NULL,
            PRIMARY KEY (since, unit)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX changes_open ON changes (unit) WHERE until IS NULL",
        # For people with a SQLite shell.
        """
        CREATE VIEW container_rows AS
        SELECT names.name AS container_name, containers.* FROM containers JOIN names ON names.id = containers.container
        """,
        """
        CREATE VIEW unit_changes AS
        SELECT units.name AS unit, states.name AS state, whys.name AS why, since, until FROM changes
        JOIN names AS units ON units.id = unit
        JOIN names AS states ON states.id = state
        JOIN names AS whys ON whys.id = why
        """,
    ),
    # What units reported was not told apart before; the weaker claim fits all of it.
    tuple(
        statement
        for table in ("site", "containers")
        for statement in (
            f"ALTER TABLE {table} RENAME COLUMN watts_reported TO watts_estimated",
            f"ALTER TABLE {table} ADD COLUMN watts_measured REAL NOT NULL DEFAULT 0.0",
        )
    ),
    # The walk list. Its entries are few, so places and words are written out; names are the symptoms and units.
    (
        """
        CREATE TABLE repairs (
            id INTEGER PRIMARY KEY, unit INTEGER NOT NULL, symptom INTEGER NOT NULL,
            container TEXT NOT NULL, rack TEXT NOT NULL, slot TEXT NOT NULL, words TEXT NOT NULL,
            since REAL NOT NULL, opened_at REAL NOT NULL, until REAL, closing INTEGER,
            lost_hashes REAL NOT NULL, before INTEGER NOT NULL,
            note TEXT, noted_by TEXT, noted_at REAL, seen_by TEXT, seen_at REAL
        )
        """,
        "CREATE INDEX repairs_until ON repairs (until)",
        """
        CREATE VIEW unit_repairs AS
        SELECT repairs.id, units.name AS unit, symptoms.name AS symptom, container, rack, slot, words, since, opened_at,
        until, closings.name AS closing, lost_hashes, before, note, noted_by, noted_at, seen_by, seen_at FROM repairs
        JOIN names AS units ON units.id = unit
        JOIN names AS symptoms ON symptoms.id = symptom
        LEFT JOIN names AS closings ON closings.id = closing
        """,
    ),
    # Diverted hashrate, and the pool's own word. Rows that a wrong clock dated ahead get the columns too, so the tables
    # that hold them are made first where there are none.
    (
        "CREATE TABLE IF NOT EXISTS aside_site AS SELECT 0.0 AS aside_at, * FROM site WHERE FALSE",
        "CREATE TABLE IF NOT EXISTS aside_containers AS SELECT 0.0 AS aside_at, * FROM containers WHERE FALSE",
        *(
            statement
            for table in ("site", "containers", "aside_site", "aside_containers")
            for statement in (
                f"ALTER TABLE {table} ADD COLUMN judged_s REAL NOT NULL DEFAULT 0.0",
                f"ALTER TABLE {table} ADD COLUMN diverted_hs REAL",
            )
        ),
        """
        CREATE TABLE pool_credits (
            account TEXT NOT NULL, start INTEGER NOT NULL, window_s INTEGER NOT NULL,
            credited_hs REAL NOT NULL, fetched INTEGER NOT NULL, PRIMARY KEY (account, start, window_s)
        ) WITHOUT ROWID
        """,
    ),
    # Owners' rows, and the chain over everything a statement rests on. Rows that are there already are sealed as they
    # are found, by the first writer.
    (
        f"""
        CREATE TABLE owners (
            at INTEGER, owner INTEGER, {_FIGURES_5}, PRIMARY KEY (at, owner)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE chain (
            seq INTEGER PRIMARY KEY, kind INTEGER NOT NULL, at INTEGER NOT NULL,
            digest BLOB, containers BLOB, body TEXT
        )
        """,
        "CREATE INDEX chain_facts ON chain (at) WHERE body IS NOT NULL",
        """
        CREATE TABLE heads (
            seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL, signature BLOB
        )
        """,
        """
        CREATE VIEW owner_rows AS
        SELECT names.name AS owner_name, owners.* FROM owners JOIN names ON names.id = owners.owner
        """,
    ),
)
CHAIN_SINCE = 5
"""The version from which files have a chain and owners' rows."""

_UNJUDGED = {"judged_s": "0.0", "diverted_hs": "NULL"}

EARLIER_COLUMNS: Mapping[int, Mapping[str, str]] = {
    1: {"watts_measured": "0.0", "watts_estimated": "watts_reported", **_UNJUDGED},
    2: _UNJUDGED,
    3: _UNJUDGED,
}
"""By version: SQL expressions for today's columns that its tables lack, to read a file that cannot be migrated."""

SOURCES = """
    CREATE TABLE IF NOT EXISTS merged_rows (
        container TEXT, at INTEGER, source TEXT, PRIMARY KEY (container, at, source)
    ) WITHOUT ROWID
"""
"""The rows that went into each merged row: the site's, whose container is empty, or a container's.

Made by the first merge that needs it: no part of the schema, so that earlier versions go on reading the file."""

BUSY_S = 5.0
HISTORY = FileKind(error=HistoryError, application_id=APPLICATION_ID, newest=len(MIGRATIONS))
