"""The metric contract of the agent itself: polling, scraping, MQTT, history, identity checks and discovery."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from agent.exporters.broker_numbers import BrokerNumbers
from agent.exporters.prometheus.agent_numbers import AgentNumbers
from agent.exporters.prometheus.family import Family, Kind, Sample
from agent.exporters.prometheus.histogram import Histogram
from agent.history.health import Health
from agent.site.identity.whereabouts import Standing

# These samples are made anew at each scrape. If a whole fleet differs from its ledger, the count says so.
MISMATCHES_NAMED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """A histogram of the contract; every other metric is a `Family`.

    Attributes:
        name, help: As in `Family`.
        histogram: Returns the histogram.
    """

    name: str
    help: str
    histogram: Callable[[AgentNumbers], Histogram]
    kind: Kind = Kind.HISTOGRAM
    labels: tuple[str, ...] = ()


def _counts(counter: Counter[str]) -> list[Sample]:
    return [((value,), count) for value, count in counter.items()]


def _of_brokers(value: Callable[[BrokerNumbers], float | None]) -> Callable[[AgentNumbers], Iterable[Sample]]:
    """Return samples of one number for each MQTT broker."""
    return lambda own: [((broker.name,), value(broker)) for broker in own.mqtt()]


def _of_brokers_by(value: Callable[[BrokerNumbers], Mapping[str, int]]) -> Callable[[AgentNumbers], Iterable[Sample]]:
    """Return samples of counts for each MQTT broker and name."""
    return lambda own: [
        ((broker.name, name), number) for broker in own.mqtt() for name, number in value(broker).items()
    ]


def _of_history(value: Callable[[Health], float | None]) -> Callable[[AgentNumbers], Iterable[Sample]]:
    """Return a sample of the history writer's health; its number is None without a history."""
    return lambda own: (((), None if own.history is None else value(own.history)),)


def _mismatches(own: AgentNumbers) -> Iterable[Sample]:
    """Return how many units differ in their model, and how many in their bin alone, once every unit was polled."""
    if not own.is_whole:
        return ()
    models = sum(1 for mismatch in own.mismatched.values() if mismatch.model is not None)
    return [((own.site, "model"), models), ((own.site, "bin"), len(own.mismatched) - models)]


def _own(
    name: str,
    text: str,
    samples: Callable[[AgentNumbers], Iterable[Sample]],
    *labels: str,
    kind: Kind = Kind.GAUGE,
) -> Family[AgentNumbers]:
    return Family(name=name, help=text, kind=kind, labels=labels, samples=samples)


_AGENT: tuple[Family[AgentNumbers] | Timing, ...] = (
    _own(
        "miner_agent_build_info",
        "Site and version of the agent as labels; always 1.",
        lambda own: (((own.site, own.version), 1),),
        *("site", "version"),
        kind=Kind.INFO,
    ),
    _own(
        "miner_agent_web_info",
        "Address at which people open the agent's pages, from web.external_url; always 1, absent without it.",
        lambda own: () if own.page_url is None else (((own.site, own.page_url), 1),),
        *("site", "url"),
        kind=Kind.INFO,
    ),
    _own(
        "miner_agent_polls_total",
        "Polls by result: ok, or the reason of the failure.",
        lambda own: _counts(own.polls),
        "result",
        kind=Kind.COUNTER,
    ),
    Timing(
        name="miner_agent_poll_duration_seconds",
        help="Time from connecting to a unit to its last byte, failed polls included; up to 0.05 s a request too high.",
        histogram=lambda own: own.poll_s,
    ),
    _own(
        "miner_agent_polls_skipped_total",
        "Polls that were due but not made, by reason.",
        lambda own: _counts(own.skipped),
        "why",
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_lane_replacements_total",
        "Times pyasic's process, which reads units of other makes, was replaced, by reason.",
        lambda own: _counts(own.lane_replaced),
        "why",
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_lane_quarantined_units",
        "Units of other makes whose answers fail pyasic's process again and again; they are asked alone, and rarely.",
        lambda own: (((), float(own.lane_quarantined())),),
    ),
    _own(
        "miner_agent_poll_stretch_ratio",
        "Time between two polls of a unit over the configured interval: median of the last interval, 1 on time.",
        lambda own: (((), own.stretch() if own.stretch else None),),
    ),
    _own(
        "miner_agent_standstills_total",
        "Times the agent stood still so long that it withdrew all figures until every unit was asked again.",
        lambda own: (((), own.standstills),),
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_active",
        "1 if this agent publishes the site's figures, 0 while it stands by; role is primary or standby.",
        lambda own: (((own.role,), int(own.is_active())),),
        "role",
    ),
    _own(
        "miner_agent_standby_takeovers_total",
        "Times this standby took over from its primary; absent on a primary.",
        lambda own: (((), own.takeovers),),
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_standby_primary_silence_seconds",
        "Time since this standby last saw a sign of its primary; absent on a primary.",
        lambda own: (((), own.primary_silent_s()),),
    ),
    _own(
        "miner_agent_standby_clock_offset_seconds",
        "The primary's clock minus this standby's, to a second; absent on a primary, and while not known.",
        lambda own: (((), own.primary_offset_s),),
    ),
    _own(
        "miner_agent_restored_units",
        "Units shown as they were before the agent's last start, because it has not asked them since; not covered.",
        lambda own: (((), own.restored_units()),),
    ),
    _own(
        "miner_agent_snapshot_timestamp_seconds",
        "When the statuses of all units were last kept on disk for a restart; absent before the first time.",
        lambda own: (((), own.snapshot_at),),
    ),
    _own(
        "miner_agent_snapshot_errors_total",
        "Times that the statuses of all units could not be kept on disk for a restart.",
        lambda own: (((), own.snapshot_errors),),
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_polls_in_flight",
        "Polls under way now.",
        lambda own: (((), own.in_flight() if own.in_flight else None),),
    ),
    _own(
        "miner_agent_reply_repairs_total",
        "Repairs that replies needed to be read, by name of the repair.",
        lambda own: _counts(own.repairs),
        "repair",
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_unread_fields",
        "Fields of units' replies that the agent neither reads nor leaves out on purpose, each once a firmware;"
        " /api/v1/unread names them.",
        lambda own: (((), own.unread_fields() if own.unread_fields else None),),
    ),
    _own(
        "miner_agent_units",
        "Units that this agent exports.",
        lambda own: (((), own.units()),),
    ),
    _own(
        "miner_agent_simulated_units",
        "Units that this agent exports and that are simulated, not machines.",
        lambda own: (((), own.simulated_units()),),
    ),
    _own(
        "miner_agent_meter_power_watts",
        "Power of a meter, as the sums use it; absent while its latest reading is too old.",
        lambda own: [((meter.name,), meter.watts) for meter in own.meters()],
        "meter",
    ),
    _own(
        "miner_agent_meter_readings_total",
        "Readings of a meter by result: ok or failed.",
        lambda own: [
            ((meter.name, result), number)
            for meter in own.meters()
            for result, number in (("ok", meter.readings), ("failed", meter.failures))
        ],
        *("meter", "result"),
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_pool_account_readings_total",
        "Readings of a pool's account by result: ok, or the reason of the failure.",
        lambda own: [
            ((account.name, result), number)
            for account in own.pool_accounts()
            for result, number in (("ok", account.reads), *account.failures.items())
        ],
        *("pool_account", "result"),
        kind=Kind.COUNTER,
    ),
    Timing(
        name="miner_agent_loop_lag_seconds",
        help="How late the event loop woke up a regular timer.",
        histogram=lambda own: own.lag_s,
    ),
    Timing(
        name="miner_agent_scrape_duration_seconds",
        help="Time to build the body of a scrape, compression included; a shared body counts once.",
        histogram=lambda own: own.scrape_s,
    ),
    _own(
        "miner_agent_scrape_bytes",
        "Size of the latest scrape body before compression, by scope.",
        lambda own: [((scope,), size) for scope, size in own.scrape_bytes.items()],
        "scope",
    ),
    _own(
        "miner_agent_http_clients_dropped_total",
        "Clients that the web server turned away, by reason.",
        lambda own: _counts(own.http_refused),
        "reason",
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_config_last_reload_successful",
        "1 if the last load of configuration and ledger succeeded, 0 if the old ones were kept.",
        lambda own: (((), own.reload_successful),),
    ),
    _own(
        "miner_agent_config_last_reload_timestamp_seconds",
        "Unix time of the last successful load of configuration and ledger.",
        lambda own: (((), own.reloaded_at),),
    ),
    _own(
        "miner_agent_web_config_last_reload_successful",
        "1 if the web configuration file is in force as it stands, 0 if its last good content is; absent without one.",
        lambda own: (((), own.web_config_in_force()),),
    ),
    _own(
        "miner_agent_curtailments_kept",
        "1 while declared curtailments are on disk, 0 while they cannot be written or read; absent until first tried.",
        lambda own: (((), own.curtailments_kept()),),
    ),
)

_MQTT: tuple[Family[AgentNumbers], ...] = (
    _own(
        "miner_agent_mqtt_connected",
        "1 while messages get through to an MQTT broker and back, 0 while they do not; the log says why.",
        _of_brokers(lambda broker: broker.is_connected),
        "broker",
    ),
    _own(
        "miner_agent_mqtt_connections_total",
        "Connections made to an MQTT broker.",
        _of_brokers(lambda broker: broker.connections),
        "broker",
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_mqtt_connection_errors_total",
        "Failures to connect to an MQTT broker and lost connections, by reason.",
        _of_brokers_by(lambda broker: broker.errors),
        *("broker", "reason"),
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_mqtt_delivered_messages_total",
        "Outbox messages that an MQTT broker acknowledged.",
        _of_brokers(lambda broker: broker.delivered),
        "broker",
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_mqtt_received_messages_total",
        "Messages received from an MQTT broker, by result: ok or refused.",
        _of_brokers_by(lambda broker: {"ok": broker.taken_in - broker.refused, "refused": broker.refused}),
        *("broker", "result"),
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_mqtt_outbox_messages",
        "Messages waiting for an MQTT broker.",
        _of_brokers(lambda broker: broker.waiting),
        "broker",
    ),
    _own(
        "miner_agent_mqtt_outbox_bytes",
        "Size of an MQTT broker's outbox, without free pages.",
        _of_brokers(lambda broker: broker.outbox_bytes),
        "broker",
    ),
    _own(
        "miner_agent_mqtt_outbox_max_bytes",
        "Size limit of an MQTT broker's outbox; above it the least important messages are dropped.",
        _of_brokers(lambda broker: broker.outbox_max_bytes),
        "broker",
    ),
    _own(
        "miner_agent_mqtt_outbox_up",
        "1 while an MQTT broker's outbox is on disk, 0 while it is only in memory; polling goes on either way.",
        _of_brokers(lambda broker: broker.is_outbox_kept),
        "broker",
    ),
    _own(
        "miner_agent_mqtt_outbox_errors_total",
        "Failures of an MQTT broker's outbox file, by reason.",
        _of_brokers_by(lambda broker: broker.outbox_errors),
        *("broker", "reason"),
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_mqtt_dropped_messages_total",
        "Messages dropped because an MQTT broker's outbox had no room, by kind: units, figures or event.",
        _of_brokers_by(lambda broker: broker.dropped),
        *("broker", "kind"),
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_mqtt_gateway_silent",
        "1 while the demand-response gateway behind an MQTT broker is silent for too long; absent if none is expected.",
        _of_brokers(lambda broker: broker.gateway_silent),
        "broker",
    ),
)

_HISTORY: tuple[Family[AgentNumbers], ...] = (
    _own(
        "miner_agent_history_up",
        "1 while history is written, 0 while it cannot be; the log says why. Polling goes on either way.",
        _of_history(lambda health: health.is_writing),
    ),
    _own(
        "miner_agent_history_errors_total",
        "Failures to write history, by reason.",
        lambda own: [] if own.history is None else _counts(own.history.errors),
        "reason",
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_history_rows_written_total",
        "Rows and state changes written to history.",
        _of_history(lambda health: health.written),
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_history_rows_dropped_total",
        "Rows and state changes lost because history could not be written for too long.",
        _of_history(lambda health: health.dropped),
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_history_rows_set_aside_total",
        "Rows and state changes from the future, left by a wrong clock and set aside in the history file.",
        _of_history(lambda health: health.set_aside),
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_history_rows_pending",
        "Rows and state changes waiting to be written to history.",
        _of_history(lambda health: health.pending),
    ),
    _own(
        "miner_agent_history_last_write_timestamp_seconds",
        "Unix time of the last write to history.",
        _of_history(lambda health: health.written_at),
    ),
    _own(
        "miner_agent_history_bytes",
        "Size of the history file and its write-ahead log.",
        _of_history(lambda health: health.size_bytes),
    ),
    _own(
        "miner_agent_history_heads_signed_state",
        "1 while the heads of the history's chain are signed, 0 while there is no key; the log says why.",
        _of_history(lambda health: health.is_signing),
    ),
    _own(
        "miner_agent_history_head_errors_total",
        "Failures to sign or keep heads of the history's chain, by reason: key, head, log, latest or anchor.",
        lambda own: [] if own.history is None else _counts(own.history.head_errors),
        "reason",
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_history_doubts",
        "What spoke against the history's chain since the agent's start, by reason: restored, rolled_back, forked,"
        " other_key, new_key or altered.",
        lambda own: [] if own.history is None else _counts(own.history.doubts),
        "reason",
    ),
    _own(
        "mining_history_chain_links",
        "Number of the last link that the latest head of the history's chain signs.",
        lambda own: (((own.site,), None if own.history_head is None else own.history_head.seq),),
        "site",
    ),
    _own(
        "mining_history_chain_check",
        "First 52 bits of that link's hash as a number; `hashsight history verify --witness LINKS:CHECK` holds both"
        " against a history.",
        lambda own: (((own.site,), None if own.history_head is None else own.history_head.check),),
        "site",
    ),
)

_IDENTITY: tuple[Family[AgentNumbers], ...] = (
    _own(
        "mining_site_units_by_standing",
        "Units by whereabouts: verified at the ledger's address by MAC or serial number,"
        " unverified, moved to another known address, or displaced by another unit and not found.",
        lambda own: [
            ((own.site, standing.value), units) for standing, units in own.identity_figures.units_by_standing.items()
        ],
        *("site", "standing"),
    ),
    _own(
        "mining_site_unknown_units",
        "Units that answer at an address of the ledger but are not in the ledger.",
        lambda own: (((own.site,), len(own.identity_figures.unknown) if own.identity_figures.is_watched else None),),
        "site",
    ),
    _own(
        "miner_address_changed",
        "1 for a unit that answers at an address other than the ledger's; its history goes on. Absent for all others.",
        lambda own: [
            ((own.site, where.unit_id), 1) for where in own.identity_figures.away if where.standing is Standing.MOVED
        ],
        *("site", "unit"),
    ),
    _own(
        "mining_site_mismatched_units",
        "Units that report another model or bin than their row in the ledger, by reason: model, or bin alone.",
        _mismatches,
        *("site", "reason"),
    ),
    _own(
        "miner_model_mismatch",
        "1 for a unit that reports another model or bin than its row in the ledger. Absent for all others,"
        f" and beyond {MISMATCHES_NAMED:,} units.",
        lambda own: [((own.site, unit_id), 1) for unit_id in islice(own.mismatched, MISMATCHES_NAMED)],
        *("site", "unit"),
    ),
    _own(
        "miner_agent_address_changes_total",
        "Times a unit was found at a new address.",
        lambda own: (((), own.identity_figures.moves),),
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_identity_checks_total",
        "Identity checks on units' web pages, by result: ok, no_socket, or the reason of the failure.",
        lambda own: [((result,), checks) for result, checks in own.identity_figures.checks.items()],
        "result",
        kind=Kind.COUNTER,
    ),
)

_DISCOVERY: tuple[Family[AgentNumbers], ...] = (
    _own(
        "mining_site_discovered_machines",
        "Machines that answered the latest look and are no deployed unit at its own address, by kind: unlisted,"
        " not_deployed, moved or unidentified. They count in no figure; absent before the first look.",
        lambda own: [((own.site, kind.value), machines) for kind, machines in own.discovery_figures.by_kind().items()],
        *("site", "kind"),
    ),
    _own(
        "miner_agent_discovery_looks_total",
        "Looks at addresses that are not polled, by result: done or failed; absent while discovery is off.",
        lambda own: [((result,), looks) for result, looks in own.discovery_figures.looks.items()],
        "result",
        kind=Kind.COUNTER,
    ),
    _own(
        "miner_agent_discovery_last_look_timestamp_seconds",
        "When the latest look at addresses that are not polled came to its end; absent before the first.",
        lambda own: (((), own.discovery_figures.look.ended if own.discovery_figures.look else None),),
    ),
)

AGENT_FAMILIES: tuple[Family[AgentNumbers] | Timing, ...] = (*_AGENT, *_MQTT, *_HISTORY, *_IDENTITY, *_DISCOVERY)
