"""*Agent*: health and cost of the agents: polling, event loop, scrapes, history, brokers and meters."""

from collections.abc import Sequence

from grafana.drawing import page, parts
from grafana.drawing.parts import COUNT, PER_SECOND, RATIO, SECONDS, Look, Query, now

ABOUT = (
    "The agents themselves. If something here is red, the figures of the other dashboards are incomplete. Each agent "
    "is one instance of a scrape job; its build info carries the site's name."
)

_TARGET = parts.selector(job="$job", instance="$instance")
_RATED = f"{_TARGET}[$__rate_interval]"
_FAILED = 'sum(rate(miner_agent_polls_total{job=~"$job", instance=~"$instance", result!="ok"}[5m]))'


def _p(quantile: float, histogram: str) -> str:
    return f"histogram_quantile({quantile}, sum by (le, instance) (rate(miner_agent_{histogram}_bucket{_RATED})))"


def _health(board: page.Page) -> None:
    board.row("Are the agents healthy?")
    # (title, description, expr, unit, steps, names)
    yes_no = {"0": ("no", parts.BAD), "1": ("yes", parts.GOOD)}
    figures: Sequence[tuple[str, str, str, str, parts.Steps, dict[str, tuple[str, str]] | None]] = (
        (
            "Answers",
            "Yes if Prometheus could scrape every selected agent just now.",
            f"min(up{_TARGET})",
            COUNT,
            parts.NEUTRAL,
            yes_no,
        ),
        (
            "Units shown",
            "Units that the selected agents export.",
            f"sum(miner_agent_units{_TARGET})",
            COUNT,
            parts.NEUTRAL,
            None,
        ),
        (
            "Simulated units",
            "Units among them that are simulated, not machines. A real site has none.",
            f"sum(miner_agent_simulated_units{_TARGET})",
            COUNT,
            parts.NONE_WANTED,
            None,
        ),
        (
            "Failed polls",
            "Share of polls without a reading, over five minutes.",
            f"{_FAILED}\n/\nsum(rate(miner_agent_polls_total{_TARGET}[5m]))",
            RATIO,
            ((0, parts.GOOD), (0.05, parts.FAIR), (0.2, parts.BAD)),
            None,
        ),
        (
            "Configuration read",
            "Yes if configuration and ledger had no mistake when last read; if not, the old ones stay in force.",
            f"min(miner_agent_config_last_reload_successful{_TARGET})",
            COUNT,
            parts.NEUTRAL,
            yes_no,
        ),
        (
            "History written",
            "Yes if history is being written. Empty if none is kept.",
            f"min(miner_agent_history_up{_TARGET})",
            COUNT,
            parts.NEUTRAL,
            yes_no,
        ),
    )
    for title, description, expr, unit, steps, names in figures:
        board.add(parts.figure(title, description, now(expr), unit, steps, names=names), width=4, height=4)
    board.add(
        parts.timeline(
            "When did the agents answer?",
            "Successful scrapes by agent; a gap is time without Prometheus itself.",
            Query(expr=f"max by (instance) (up{_TARGET})", legend="{{instance}}"),
            {"0": ("silent", parts.BAD), "1": ("answers", parts.GOOD)},
        ),
        width=16,
        height=5,
    )
    board.add(
        parts.listing(
            "Agents",
            "Version and site of each agent.",
            [parts.column(f"max by (site, job, instance, version) (miner_agent_build_info{_TARGET})")],
            {name: parts.Column(title=name) for name in ("site", "job", "instance", "version")},
            hidden=("Value",),
        ),
        width=8,
        height=5,
    )


def _polling(board: page.Page) -> None:
    board.row("Are polls on time?")
    polls = f"sum by (result) (rate(miner_agent_polls_total{_RATED}))"
    board.add(
        parts.graph(
            "Polls by result",
            "Per second. Every result except ok is a reason of failure.",
            [Query(expr=polls, legend="{{result}}")],
            PER_SECOND,
            Look(stacked=True, colours={"ok": "green"}),
        ),
        parts.graph(
            "How long do polls take?",
            "From connecting to the last byte, including failed polls. Half are faster than p50, all but one in a "
            "hundred are faster than p99.",
            [
                Query(expr=_p(0.5, "poll_duration_seconds"), legend="p50 {{instance}}"),
                Query(expr=_p(0.99, "poll_duration_seconds"), legend="p99 {{instance}}"),
            ],
            SECONDS,
        ),
        width=12,
        height=8,
    )
    board.add(
        parts.graph(
            "Skipped polls",
            "Per second, by reason: the previous poll was not over (busy), or the agent had no socket left "
            "(no_socket). No line means none skipped, as long as the agent answers.",
            [Query(expr=f"sum by (why) (rate(miner_agent_polls_skipped_total{_RATED}))", legend="{{why}}")],
            PER_SECOND,
        ),
        parts.graph(
            "How far are intervals stretched?",
            "Time between two polls of a unit over the configured interval; 1 is on time, from 3 on readings go stale.",
            [Query(expr=f"max by (instance) (miner_agent_poll_stretch_ratio{_TARGET})", legend="{{instance}}")],
            COUNT,
        ),
        parts.graph(
            "Units not looked at in time",
            "They count as they were at their last poll, and are not covered.",
            [Query(expr=f"max by (instance) (mining_site_overdue_units{_TARGET})", legend="{{instance}}")],
            COUNT,
        ),
        width=8,
        height=8,
    )
    board.add(
        parts.graph(
            "Polls in flight",
            "At the moment of the scrape.",
            [Query(expr=f"sum by (instance) (miner_agent_polls_in_flight{_TARGET})", legend="{{instance}}")],
            COUNT,
        ),
        parts.graph(
            "Repaired replies",
            "Malformed JSON that was repaired before parsing, per second and repair. No line means none, as long as "
            "the agent answers.",
            [Query(expr=f"sum by (repair) (rate(miner_agent_reply_repairs_total{_RATED}))", legend="{{repair}}")],
            PER_SECOND,
        ),
        width=12,
        height=8,
    )


def _costs(board: page.Page) -> None:
    board.row("What do the agents cost?")
    panels = (
        (
            "Event loop lag",
            "p99 delay of a regular timer; anything that blocks the agent shows here.",
            [Query(expr=_p(0.99, "loop_lag_seconds"), legend="p99 {{instance}}")],
            SECONDS,
        ),
        (
            "How long does a scrape take?",
            "p99 time to build the body in the agent, and the whole scrape as Prometheus sees it.",
            [
                Query(expr=_p(0.99, "scrape_duration_seconds"), legend="build, p99 {{instance}}"),
                Query(expr=f"max by (instance) (scrape_duration_seconds{_TARGET})", legend="whole scrape {{instance}}"),
            ],
            SECONDS,
        ),
        (
            "How large is a scrape?",
            "The latest body before compression, by scope.",
            [
                Query(
                    expr=f"max by (instance, scope) (miner_agent_scrape_bytes{_TARGET})",
                    legend="{{scope}} {{instance}}",
                )
            ],
            parts.BYTES,
        ),
        (
            "How many series?",
            "Samples per scrape; at most 40 per unit.",
            [Query(expr=f"max by (instance) (scrape_samples_scraped{_TARGET})", legend="{{instance}}")],
            COUNT,
        ),
        (
            "Processor",
            "CPU cores in use, user and system time.",
            [
                Query(
                    expr=f"max by (instance) (rate(process_cpu_seconds_total{_RATED}))",
                    legend="{{instance}}",
                )
            ],
            parts.COUNT,
        ),
        (
            "Memory",
            "Resident memory of the agent's process.",
            [Query(expr=f"max by (instance) (process_resident_memory_bytes{_TARGET})", legend="{{instance}}")],
            parts.BYTES,
        ),
    )
    for title, description, queries, unit in panels:
        board.add(parts.graph(title, description, queries, unit), width=8, height=8)


def _history(board: page.Page) -> None:
    board.row("Is history kept?")
    board.add(
        parts.graph(
            "Rows",
            "Per second: written, and dropped because they could not be written for too long.",
            [
                Query(expr=f"sum(rate(miner_agent_history_rows_written_total{_RATED}))", legend="written"),
                Query(expr=f"sum(rate(miner_agent_history_rows_dropped_total{_RATED}))", legend="dropped"),
            ],
            PER_SECOND,
            Look(colours={"written": "blue", "dropped": "red"}),
        ),
        parts.graph(
            "Pending rows",
            "Rows held in memory until they are written. They pile up while the disk is full or slow.",
            [Query(expr=f"sum by (instance) (miner_agent_history_rows_pending{_TARGET})", legend="{{instance}}")],
            COUNT,
        ),
        parts.graph(
            "Size",
            "Size of the history file and its write-ahead log.",
            [Query(expr=f"max by (instance) (miner_agent_history_bytes{_TARGET})", legend="{{instance}}")],
            parts.BYTES,
        ),
        width=8,
        height=8,
    )


def _others(board: page.Page) -> None:
    board.row("Do brokers and meters answer?")
    board.add(
        parts.timeline(
            "MQTT brokers",
            "Connection to each broker; empty if none is configured.",
            Query(
                expr=f"max by (instance, broker) (miner_agent_mqtt_connected{_TARGET})",
                legend="{{broker}} {{instance}}",
            ),
            {"0": ("away", parts.BAD), "1": ("connected", parts.GOOD)},
        ),
        parts.graph(
            "Pending MQTT messages",
            "Messages in the outbox of each broker, on disk until delivered.",
            [
                Query(
                    expr=f"max by (instance, broker) (miner_agent_mqtt_outbox_messages{_TARGET})",
                    legend="{{broker}} {{instance}}",
                )
            ],
            COUNT,
        ),
        width=12,
        height=6,
    )
    board.add(
        parts.graph(
            "MQTT messages",
            "Per second: delivered to each broker, and dropped because its outbox was full.",
            [
                Query(
                    expr=f"sum by (broker) (rate(miner_agent_mqtt_delivered_messages_total{_RATED}))",
                    legend="delivered {{broker}}",
                ),
                Query(
                    expr=f"sum by (broker, kind) (rate(miner_agent_mqtt_dropped_messages_total{_RATED}))",
                    legend="dropped {{broker}} {{kind}}",
                ),
            ],
            PER_SECOND,
        ),
        parts.graph(
            "Meters",
            "Power of each meter; a line ends when its latest reading is too old.",
            [
                Query(
                    expr=f"max by (instance, meter) (miner_agent_meter_power_watts{_TARGET})",
                    legend="{{meter}} {{instance}}",
                )
            ],
            parts.WATTS,
        ),
        parts.graph(
            "Identity checks",
            "Requests to the web pages of units for serial number and MAC, per second, by result.",
            [Query(expr=f"sum by (result) (rate(miner_agent_identity_checks_total{_RATED}))", legend="{{result}}")],
            PER_SECOND,
        ),
        width=8,
        height=8,
    )
    board.add(
        parts.graph(
            "How full are MQTT outboxes?",
            "Share of the allowed size. Above 100 % the oldest unit batches are dropped first, figures and events "
            "last.",
            [
                Query(
                    expr=f"max by (instance, broker) (miner_agent_mqtt_outbox_bytes{_TARGET})\n/\n"
                    f"max by (instance, broker) (miner_agent_mqtt_outbox_max_bytes{_TARGET})",
                    legend="{{broker}} {{instance}}",
                )
            ],
            RATIO,
        ),
        parts.graph(
            "MQTT failures",
            "Per second, by reason: refused or lost connections, and failed outbox writes. No line means none, as "
            "long as the agent answers.",
            [
                Query(
                    expr=f"sum by (broker, reason) (rate(miner_agent_mqtt_connection_errors_total{_RATED})) > 0",
                    legend="{{broker}}: {{reason}}",
                ),
                Query(
                    expr=f"sum by (broker, reason) (rate(miner_agent_mqtt_outbox_errors_total{_RATED})) > 0",
                    legend="{{broker}}: outbox {{reason}}",
                ),
            ],
            PER_SECOND,
        ),
        width=12,
        height=8,
    )


def draw() -> page.Page:
    """Return the dashboard."""
    board = page.Page(
        page.AGENT,
        "hashsight: Agent",
        ABOUT,
        span="6h",
        variables=[
            page.choice("site", "Site", "miner_agent_build_info"),
            page.choice("job", "Job", "miner_agent_build_info", of=["site"]),
            page.choice("instance", "Instance", "miner_agent_build_info", of=["site", "job"]),
        ],
    )
    _health(board)
    _polling(board)
    _costs(board)
    _history(board)
    _others(board)
    return board
