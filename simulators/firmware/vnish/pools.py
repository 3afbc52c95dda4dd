"""`pools` and `summary` of VNish: the owner's pools, the maker's, and a summary that counts them all.

The maker's pool gets its share of the work all the time; a real unit gives it turns of some minutes.
"""

from typing import NamedTuple

from simulators.firmware.antminer.pools import best_share, pools_of
from simulators.firmware.vnish.generation import FEE_DIFFICULTY, Generation, envelope
from simulators.firmware.vnish.stats import state_word
from simulators.unit.snapshot import Shares
from simulators.unit.unit import Unit


class _Counts(NamedTuple):
    """Shares and their difficulty of one pool."""

    accepted: int = 0
    rejected: int = 0
    stale: int = 0
    difficulty: int = 0


class _Row(NamedTuple):
    """One row of `pools`; `kind` is 1 for the maker's."""

    position: int
    url: str
    user: str
    status: str
    kind: int
    is_active: bool
    counts: _Counts
    age_s: int


def pools(unit: Unit, generation: Generation, t: float) -> str:
    """Return the reply to `pools`. Observed (O172): the maker's last; the older generation says that there are six."""
    line = _new_line if generation.is_new else _old_line
    lines = [line(row) for row in _rows(unit, generation, t)]
    message = f"{len(lines)} Pool(s)" if generation.is_new else "6 Pool(s)"
    return envelope(generation, t, (7, message, "POOLS"), ",".join(lines), has_id=False)


def summary(unit: Unit, generation: Generation, t: float) -> str:
    """Return the reply to `summary`: counters of all pools, and the average under the name of a window."""
    snapshot, everyone = unit.snapshot(t), [row.counts for row in _rows(unit, generation, t)]
    is_off = state_word(unit, snapshot) in {"stopped", "failure"}
    now, average = (0.0, 0.0) if is_off else (snapshot.ghs_5s, snapshot.ghs_avg)
    accepted, rejected, stale = (sum(counts[place] for counts in everyone) for place in range(3))
    credited, refused, late = (
        float(sum(counts[place] * counts.difficulty for counts in everyone)) for place in range(3)
    )
    errors = 0 if is_off else sum(board.hw_errors for board in snapshot.boards)
    best = best_share(unit.identity.key, unit.shares(t).work)
    percent = round(generation.fee_ratio * 100.0, 4)
    if generation.is_new:
        body = (
            f'{{"Elapsed":{snapshot.elapsed_s},"Device Hardware%":2.2890738e-10,"GHS 5s":{now!r},"GHS av":{average!r},'
            f'"GHS 30m":{average!r},"Stale":{stale},"Found Blocks":0,"Getworks":0,"Accepted":{accepted},'
            f'"Rejected":{rejected},"Hardware Errors":{errors},"Utility":0.0,"Discarded":0,"Get Failures":0,'
            f'"Local Work":0,"Remote Failures":0,"Network Blocks":0,"Total MH":0,"Work Utility":0.0,'
            f'"Difficulty Accepted":{credited!r},"Difficulty Rejected":{refused!r},"Difficulty Stale":{late!r},'
            f'"Best Share":{best},"Device Rejected%":0.0,"Pool Rejected%":0.0,"Pool Stale%":0.0,"Last getwork":0,'
            f'"Fee Percent":{percent!r}}}'
        )
    else:
        body = (
            f'{{"Elapsed":{snapshot.elapsed_s},"GHS 5s":"{now:.2f}","GHS av":{average:.2f},"Found Blocks":0,'
            f'"Getworks":{snapshot.elapsed_s // 23},"Accepted":{accepted},"Rejected":{rejected},'
            f'"Hardware Errors":{errors},"Utility":{60.0 * accepted / max(1, snapshot.elapsed_s):.2f},"Discarded":0,'
            f'"Stale":{stale},"Get Failures":0,"Local Work":0,"Remote Failures":0,"Network Blocks":0,'
            f'"Total MH":{average * snapshot.elapsed_s * 1000.0:.4f},"Work Utility":0.00,'
            f'"Difficulty Accepted":{credited:.8f},"Difficulty Rejected":{refused:.8f},"Difficulty Stale":{late:.8f},'
            f'"Best Share":{best},"Device Hardware%":0.5332,"Device Rejected%":0.0706,"Pool Rejected%":0.0705,'
            f'"Pool Stale%":0.0062,"Last getwork":{int(t) - 1},"Fee Percent":{percent:.4f}}}'
        )
    return envelope(generation, t, (11, "Summary", "SUMMARY"), body, has_id=False)


def _rows(unit: Unit, generation: Generation, t: float) -> list[_Row]:
    """Return the owner's pools, then the maker's; the newer generation keeps both strata active."""
    snapshot, shares = unit.snapshot(t), unit.shares(t)
    word = state_word(unit, snapshot)
    is_off, owned = word == "stopped", 1.0 - generation.fee_ratio
    is_turn = unit.conditions.is_fee_turn
    rows = []
    for pool in pools_of(unit, t, is_asleep=is_off):
        if pool.url:
            found = [int(count * owned) for count in (pool.accepted, pool.rejected, pool.stale)]
            counts = _Counts(found[0], found[1], found[2], shares.difficulty) if any(found) else _Counts()
            # Assumed (A216): one stratum at a time is active on the older generation, so the owner's rests in a turn.
            is_active = pool.is_active and (generation.is_new or not is_turn)
            rows.append(_Row(pool.position, pool.url, pool.user, pool.status, 0, is_active, counts, shares.age_s))
    is_active = (generation.is_new or is_turn) and word in {"mining", "auto-tuning"}
    fee = _Counts() if is_off else _fee_counts(shares, generation)
    rows.append(_Row(len(rows), "DevFee", "DevFee", "Alive", 1, is_active, fee, shares.age_s))
    return rows


def _fee_counts(shares: Shares, generation: Generation) -> _Counts:
    """Return the maker's shares: its part of the work, and all that none of the owner's pools was credited with."""
    total = shares.accepted + shares.rejected + shares.stale
    diverted = total - sum(sum(counts) for counts in (*shares.by_pool, shares.by_stranger))
    work = generation.fee_ratio * shares.work + (1.0 - generation.fee_ratio) * diverted * shares.difficulty
    return _Counts(int(work / FEE_DIFFICULTY), int(work * 0.0044 / FEE_DIFFICULTY), 0, FEE_DIFFICULTY)


def _new_line(row: _Row) -> str:
    counts, difficulty = row.counts, float(row.counts.difficulty)
    # Observed (O172): the URL without its scheme.
    return (
        f'{{"POOL":{row.position},"URL":"{row.url.rpartition("//")[2]}","Type":{row.kind},"User":"{row.user}",'
        f'"Status":"{row.status}","Diff":"{_short(counts.difficulty)}","Accepted":{counts.accepted},'
        f'"Rejected":{counts.rejected},"Stale":{counts.stale},"Last Share Difficulty":{difficulty!r},'
        f'"Last Share Time":"{_age(row)}","Stratum Active":{"true" if row.is_active else "false"},"Has Vmask":true,'
        f'"Difficulty Accepted":{counts.accepted * difficulty!r},'
        f'"Difficulty Rejected":{counts.rejected * difficulty!r},'
        f'"Difficulty Stale":{counts.stale * difficulty!r}}}'
    )


def _old_line(row: _Row) -> str:
    counts, difficulty = row.counts, float(row.counts.difficulty)
    host = row.url.rpartition("//")[2].partition(":")[0] if row.is_active else ""
    return (
        f'{{"POOL":{row.position},"URL":"{row.url}","Status":"{row.status}","Priority":{row.position},"Long Poll":"N",'
        f'"Getworks":0,"Accepted":{counts.accepted},"Rejected":{counts.rejected},"Stale":{counts.stale},"Works":0,'
        f'"Discarded":0,"Get Failures":0,"Remote Failures":0,"User":"{row.user}","Type":{row.kind},'
        f'"Last Share Time":"{_age(row)}","Diff":"{_short(counts.difficulty)}","Diff1 Shares":0,"Proxy Type":"",'
        f'"Proxy":"","Difficulty Accepted":{counts.accepted * difficulty:.8f},'
        f'"Difficulty Rejected":{counts.rejected * difficulty:.8f},"Difficulty Stale":{counts.stale * difficulty:.8f},'
        f'"Last Share Difficulty":{difficulty:.8f},"Work Difficulty":{difficulty:.8f},"Has Stratum":true,'
        f'"Stratum Active":{"true" if row.is_active else "false"},"Stratum URL":"{host}",'
        f'"Stratum Difficulty":{difficulty if row.is_active else 0.0:.8f},"Has Vmask":true,"Best Share":0,'
        f'"Pool Rejected%":0.0000,"Pool Stale%":0.0000,"Bad Work":0,"Current Block Height":0,'
        f'"Current Block Version":536870912}}'
    )


def _short(difficulty: int) -> str:
    """Return ``262K``, ``16.4K``; empty for none. Observed (O172): s21pro-vnish-2026."""
    thousands = difficulty / 1000.0
    if not difficulty:
        return ""
    return f"{thousands:.3g}K" if thousands < 100.0 else f"{int(thousands)}K"


def _age(row: _Row) -> str:
    """Return the time since the last share: ``0:00:05``, or ``0`` without one."""
    if not row.counts.accepted:
        return "0"
    minutes, seconds = divmod(row.age_s, 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
