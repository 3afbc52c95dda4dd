#!/usr/bin/env python3
"""Verify a statement that hashsight signed, without hashsight: with Python 3.11 and the package `cryptography`.

verify_statement.py october.json --key site.history.key.pub --rows october.csv --chain october.chain.jsonl [--site NAME]
"""

import argparse
import hashlib
import json
import math
import sys
from base64 import b64decode as decode
from base64 import b64encode as encode
from collections import Counter
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

CLOSE, ROUNDING, wrong = 1e-12, 1e-9, []  # how close figures must be; less than this share of deployed is rounding


def check(is_right, words):
    """Print one check, and remember it if it fails."""
    print("ok     " if is_right else "WRONG  ", words)
    wrong.extend([] if is_right else [words])


def compare(words, found, expected, size):
    """Check figures by name: what the document says against what follows, for sums of a size."""
    for name, value in expected.items():
        stated, is_absent = found.get(name), value is None or found.get(name) is None
        if stated is not value if is_absent else not math.isclose(stated, value, rel_tol=CLOSE, abs_tol=CLOSE * size):
            return check(False, f"{words}, {name}: the document says {stated!r}, {value!r} follows")
    return check(True, f"{words}: {', '.join(f'{name} {value!r}' for name, value in expected.items() if value)}")


def canonical(content):
    """Return the one form of a content: keys in order, no spaces, numbers as Python prints them."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def is_signed(key, content, signature):
    """Return True if the signature is this key's of a content's canonical form (Ed25519, RFC 8032)."""
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, canonical(content).encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def check_signature(document, key):
    """Check who signed a document, and each document that it combines."""
    name = f"statement of {', '.join(part['site'] for part in document['parts'])}"
    signature, parts = document.get("signature"), document.get("documents") or []
    if signature is None:
        check(key is None, f"{name}: not signed")
    else:
        raw = decode(signature["public_key"])
        rest = {field: value for field, value in document.items() if field != "signature"}
        key_id, value = hashlib.sha256(raw).hexdigest()[:16], decode(signature["value"])
        spelt = {"key_id": key_id, "public_key": encode(raw).decode(), "value": encode(value).decode()}
        check(signature == spelt and is_signed(raw, rest, value), f"{name}: signed by key {key_id}")
        check(key in {None, raw}, f"{name}: its key is {'the one that was given' if key else 'held against no other'}")
    for each in parts:
        check_signature(each, None)
    if parts and all(each["format"] == 4 for each in parts):  # earlier ones lack what is computed today
        theirs = sorted((part for each in parts for part in each["parts"]), key=lambda part: part["site"])
        check(document["parts"] == theirs, f"{name}: its parts are those of the documents in it")


def check_figures(document):
    """Check the figures against the parts: each site's means count for the time from its first deployed moment."""
    sums, losses, joules, figures = Counter(), Counter(), Counter(), document["figures"]
    for part in document["parts"]:
        mean, unseen, time = part["mean"], part["unseen"], part["unseen"]["deployed_s"]
        weight, share = time / part["elapsed_s"], mean["watched_s"] / time  # means are of watched time alone
        operating, deployed = mean["operating_hs"] * share, mean["deployed_hs"] * share
        floor = max(0.0, operating - unseen["unsure"] / time)
        sums.update({name: mean[name] * weight for name in ("deployed_hs", "operating_hs", "uplift_hs")})
        sums["deployed_whole_hs"] += (deployed + unseen["unwatched"] / time) * weight
        sums["operating_floor_hs"] += floor * weight
        sums["operating_ceiling_hs"] += (operating + (unseen["unwatched"] + unseen["unknown"]) / time) * weight
        sums["capped floor"] += max(0.0, floor - mean["uplift_hs"] * share) * weight
        sums["known"] += mean["known_hs"] * share * weight
        losses.update({cause: value * weight for cause, value in mean["losses_hs"].items()})
        joules.update({source: watts * mean["watched_s"] for source, watts in mean["watts"].items()})
    whole, sums["capped"] = sums["deployed_whole_hs"], sums["operating_hs"] - sums["uplift_hs"]
    compare("means", figures, {name: value for name, value in sums.items() if name.endswith("_hs")}, whole)
    compare("losses", figures["losses_hs"], losses, whole)
    compare("energy, J", figures["joules_by_source"], joules, sum(joules.values()))
    left = {"operating_hs": sums["deployed_hs"] - math.fsum(losses.values()) + sums["uplift_hs"]}
    compare("deployed - losses + uplift", figures, left, whole)
    ratios = {
        "operational_efficiency_ratio": ("operating_hs", "deployed_hs"),
        "operational_efficiency_floor_ratio": ("operating_floor_hs", "deployed_whole_hs"),
        "operational_efficiency_ceiling_ratio": ("operating_ceiling_hs", "deployed_whole_hs"),
        "operational_efficiency_capped_ratio": ("capped", "deployed_hs"),
        "operational_efficiency_capped_floor_ratio": ("capped floor", "deployed_whole_hs"),
        "coverage_ratio": ("known", "deployed_whole_hs"),
    }
    expected = {name: sums[above] / sums[below] if sums[below] else None for name, (above, below) in ratios.items()}
    compare("ratios", figures, expected, 1.0)
    is_above = expected["operational_efficiency_floor_ratio"] > 0.9 if whole else None
    check(figures["is_above_target"] is is_above, "above 90 % is said of the floor")


def check_rows(part, path, steps):
    """Check one site's part against its rows; return their digests by the Unix time at which they begin."""
    text = Path(path).read_bytes()
    check(hashlib.sha256(text).hexdigest() == part["inputs"]["digest"], "the rows have the SHA-256 of the document")
    header, *lines = text.splitlines(keepends=True)
    names, *cells = (line.decode().strip().split(",") for line in (header, *lines))
    rows = [{name: float(cell or 0) for name, cell in list(zip(names, row, strict=True))[1:]} for row in cells]
    mean, watched = part["mean"], math.fsum(row["watched_s"] for row in rows)
    means = {name: math.fsum(row[name] * row["watched_s"] for row in rows) / watched for name in names[4:]}
    plain = {name: means[name] for name in ("units", "deployed_hs", "operating_hs", "uplift_hs", "known_hs")}
    watts = {source: means[f"watts_{source}"] for source in mean["watts"]}
    losses, size = {cause: means[f"loss_{cause}_hs"] for cause in mean["losses_hs"]}, means["deployed_hs"]
    compare("time of the rows", mean, {"watched_s": watched}, watched)
    compare("means of the rows", mean, plain, size)
    compare("losses of the rows", mean["losses_hs"], losses, size)
    compare("watts of the rows", mean["watts"], watts, sum(watts.values()))
    unsure, unknown, unwatched, end, before = [], [], [], part["unseen"]["since"], None
    for row in [*rows, None]:  # a gap is what no row covers, to the end of the period
        begins = int(part["start"] + part["elapsed_s"] if row is None else row["at"])
        if begins > end:  # deployed there is by the ledger's steps, or without a ledger the larger of both edges
            levels = steps or [(0, max(each["deployed_hs"] for each in (before, row) if each))]
            for (at, hs), (until, _) in zip(levels, [*levels[1:], (math.inf, 0)], strict=True):
                unwatched.append(hs * max(0.0, min(begins, until) - max(end, at)))
        if row is None:
            break
        end, before = row["at"] + row["span_s"], row
        unwatched.append(row["deployed_hs"] * (row["span_s"] - row["watched_s"]))
        hidden = row["deployed_hs"] - row["known_hs"]  # units in no known state
        if hidden > row["deployed_hs"] * ROUNDING:
            late = hidden - row["loss_unreachable_hs"] - row["loss_unreadable_hs"]  # not asked in time: an old rate
            unsure.append(min(late, row["operating_hs"]) * row["watched_s"] if late > hidden * ROUNDING else 0.0)
            lost = math.fsum(value for name, value in row.items() if name.startswith("loss_"))
            unknown.append(min(hidden, lost) * row["watched_s"])
    unseen = {"unsure": math.fsum(unsure), "unknown": math.fsum(unknown), "unwatched": math.fsum(unwatched)}
    compare("unseen, hashes", part["unseen"], unseen, size * part["elapsed_s"])
    return {int(row["at"]): hashlib.sha256(line).hexdigest()[:28] for row, line in zip(rows, lines, strict=True)}


def check_chain(path, end, found, part, key):
    """Check that the rows are as they were chained, up to the link that the document names, and the signed heads."""
    digests, hashes, heads, keys, before = {}, {}, [], [key], ""
    for entry in map(json.loads, Path(path).read_bytes().splitlines()):
        if "base" in entry and not hashes:
            before = hashes[entry["base"]["seq"]] = entry["base"]["hash"]
        elif "head" in entry:
            heads += [(entry["head"], entry["signature"])] if entry["head"]["seq"] <= end["seq"] else []
        else:
            fields = (entry[name] for name in ("seq", "kind", "at", "digest", "containers", "body"))
            text = before + "\n" + "|".join("" if value is None else str(value) for value in fields)
            before = hashes[entry["seq"]] = hashlib.sha256(text.encode()).hexdigest()
            if entry["seq"] <= end["seq"] and entry["kind"] == "fact" and '"fact":"key"' in entry["body"]:
                keys.append(decode(json.loads(entry["body"])["public"]))  # of the agent: another may sign documents
            elif entry["seq"] <= end["seq"] and entry["kind"] == "minute":
                digests[entry["at"]] = entry["digest"]  # the latest link of a minute is in force
    check(hashes.get(end["seq"]) == end["hash"], f"link {end['seq']} has the hash that the document names")
    chained = {at: each for at, each in digests.items() if each and part["start"] <= at < part["inputs"]["last_at"]}
    differ = sorted(at for at in {*found, *chained} if found.get(at) != chained.get(at))
    check(not differ, f"{len(found)} rows are as they were chained" + "".join(f"; not at {at}" for at in differ[:5]))
    for head, value in heads:
        check((hashes.get(head["seq"]), part["site"]) == (head["hash"], head["site"]), f"head {head['seq']} is its own")
        check(not (key and value) or any(is_signed(each, head, decode(value)) for each in keys), "signed by the site")


def main():
    """Check the document, then the rows of one site, then the chain over them."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("document", "--key", "--rows", "--chain", "--site"):
        options.add_argument(name)
    given = options.parse_args()
    key = given.key and load_pem_public_key(Path(given.key).read_bytes()).public_bytes(Encoding.Raw, PublicFormat.Raw)
    document = json.loads(text := Path(given.document).read_bytes())
    check(text == f"{canonical(document)}\n".encode(), "the file is in canonical form, to the byte")
    check_signature(document, key)
    check_figures(document)
    if given.rows and document["parts"][0].get("owner"):
        print("skipped an owner's rows follow from the whole history: hashsight statement --verify holds them")
    elif given.rows:
        own, site = [document], given.site or document["parts"][0]["site"]
        while own[0].get("documents"):  # a site's own document is this one, or one of those that it combines
            own = [each for each in own[0]["documents"] if site in {part["site"] for part in each["parts"]}]
        rows = check_rows(own[0]["parts"][0], given.rows, own[0]["contents"][0]["deployed_steps"])
        if given.chain:
            check_chain(given.chain, own[0]["contents"][0]["chain"], rows, own[0]["parts"][0], key)
    print(f"{len(wrong)} WRONG" if wrong else "everything holds")
    return bool(wrong)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ArithmeticError, AttributeError, KeyError, IndexError, OSError, TypeError, ValueError) as error:
        sys.exit(f"WRONG   not what it should be: {type(error).__name__}: {error}")
