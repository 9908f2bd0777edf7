#!/usr/bin/env python3
"""Verifies an exported ledger of Work Manager offline. Needs Python 3.8 and nothing else; shares no code with the server.

Input: one or more pages of `GET /api/work/ledger?after=<seq>&limit=1000`, in order, as files or on standard input (one JSON
document after the other). Follow `next_after` until it is null. A page is

    {"format": "wm2", "tenant_id": "<uuid>",
     "entries": [{"seq": 1, "hash_version": 2, "prev_hash": "<hex>", "hash": "<hex>",
                  "event": {"id", "kind", "decided_at", "subject_type", "subject_id", … "payload", "diff", "message"}}],
     "head": {"seq": 42, "hash": "<hex>"} or null, "next_after": <seq> or null}

`payload` and `diff` are strings with the stored JSON text, `seconds` is one too: hashes hang on their bytes. Every hash is

    SHA-256("wm2" + netstrings of: prev_hash, tenant_id, seq, id, kind, decided_at, subject_type, subject_id, root_id, label,
            actor_type, actor_id, principal, request_id, trace_id, provenance_id, correlation_id, causation_id, session_key,
            priority, reason, seconds, SHA-256(payload), SHA-256(diff), message)

and of entries with hash_version 1, from before that format:

    SHA-256("wm1" + netstrings of: prev_hash, tenant_id, order, item, seq, id, kind, decided_at, actor_type, actor_id,
            principal, SHA-256(payload), SHA-256(diff), message)

where order is root_id, item is subject_id if subject_type is `item` (order_id and item_id in exports of format wm1). Of what it
does not cover, subject_type is `item` or the first word of kind, subject_id of an `order` the order, and what came later (correlation_id,
causation_id, session_key, reason, seconds) empty. A chain
goes on from version 1 to 2 and never back. A netstring is `<number of bytes>:<text>,`, an absent member is the empty text, and hashes are lower-case hexadecimal.

    curl -H "Authorization: Bearer $KEY" "$URL/api/work/ledger?limit=1000" | python3 verify-ledger.py
    python3 verify-ledger.py page-1.json page-2.json --head 42:<hash noted earlier>

A chain proves its own order and content. Only a head that was noted elsewhere, before, proves that it was not written anew.
Exit status: 0 the chain holds, 1 it does not, 2 the input cannot be read.
"""
import argparse
import hashlib
import json
import sys

GENESIS = "0" * 64


def sha256(text):
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def netstring(text):
    text = "" if text is None else str(text)
    return f"{len(text.encode('utf-8'))}:{text},"


def entry_hash(tenant, prev_hash, entry):
    event, version = entry["event"], entry.get("hash_version", 1)
    said = [sha256(event["payload"] or ""), sha256(event["diff"] or ""), event["message"]]
    by = [event["actor_type"], event["actor_id"], event["principal"]]
    what = [entry["seq"], event["id"], event["kind"], event["decided_at"]]
    if version == 1:
        order = event["root_id"] if "root_id" in event else event["order_id"]
        item = event["item_id"] if "subject_type" not in event else event["subject_id"] if event["subject_type"] == "item" else None
        members = [prev_hash, tenant, order, item, *what, *by, *said]
    elif version == 2:
        about = [event[name] for name in ("subject_type", "subject_id", "root_id", "label")]
        story = [event[name] for name in ("request_id", "trace_id", "provenance_id", "correlation_id", "causation_id", "session_key",
                                          "priority", "reason", "seconds")]
        members = [prev_hash, tenant, *what, *about, *by, *story, *said]
    else:
        raise ValueError(f"unknown hash_version {version!r}")
    return sha256(f"wm{version}" + "".join(netstring(member) for member in members))


def is_as_migrated(event):
    """Whether what version 1 does not cover is what the migration to version 2 made of it."""
    if "subject_type" not in event:
        return True
    word = event["kind"].split(".")[0]
    item = event["subject_id"] if event["subject_type"] == "item" else None
    subject = item if item is not None else event["root_id"] if word == "order" else None
    later = [event[name] for name in ("correlation_id", "causation_id", "session_key", "reason", "seconds")]
    return [event["subject_type"], event["subject_id"], *later] == ["item" if item is not None else word, subject] + [None] * 5


def verify(pages, noted):
    """What is wrong with the chain, as one sentence; None when it holds."""
    tenant, seq, last, version = pages[0]["tenant_id"], 0, GENESIS, 1
    for entry in (entry for page in pages for entry in page["entries"]):
        if entry["seq"] != seq + 1:
            return f"entry {seq + 1}: missing; {seq} is followed by {entry['seq']}"
        seq = entry["seq"]
        if entry["prev_hash"] != last:
            return f"entry {seq}: does not continue the one before it"
        if entry["event"] is None:
            return f"entry {seq}: the event behind it is gone"
        if entry.get("hash_version", 1) < version:
            return f"entry {seq}: is hashed by an older rule than the one before it"
        version = entry.get("hash_version", 1)
        if version == 1 and not is_as_migrated(entry["event"]):
            return f"entry {seq}: has members that came after its hash ({entry['event']['kind']} {entry['event']['id']})"
        if entry_hash(tenant, last, entry) != entry["hash"]:
            return f"entry {seq}: the event is not the one that was hashed ({entry['event']['kind']} {entry['event']['id']})"
        last = entry["hash"]
        if noted and noted[0] == seq and noted[1] != last:
            return f"entry {seq}: not the chain whose head was noted"
    head = pages[-1]["head"] or {"seq": 0, "hash": GENESIS}
    reached = max(head["seq"], noted[0] if noted else 0)
    if reached > seq:
        return f"entry {seq + 1}: missing; the chain reached {reached}, the input ends at {seq}"
    if (head["seq"], head["hash"]) != (seq, last):
        return f"entry {seq}: is not the head that the export names"
    return None


def read_pages(texts):
    decoder = json.JSONDecoder()
    for text in texts:
        text = text.strip()
        while text:
            page, end = decoder.raw_decode(text)
            if page["format"] not in ("wm1", "wm2"):
                raise ValueError(f"unknown format {page['format']!r}")
            yield page
            text = text[end:].lstrip()


def main():
    parser = argparse.ArgumentParser(description="Verifies an exported ledger of Work Manager offline.")
    parser.add_argument("pages", nargs="*", help="files with pages of GET /api/work/ledger, in order (default: standard input)")
    parser.add_argument("--head", metavar="SEQ:HASH", help="a head that was noted earlier")
    options = parser.parse_args()
    try:
        noted = (int(options.head.split(":")[0]), options.head.split(":")[1]) if options.head else None
        pages = list(read_pages([open(name, encoding="utf-8").read() for name in options.pages] or [sys.stdin.buffer.read().decode("utf-8")]))
        damage = verify(pages, noted)
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        print(f"The input cannot be read as pages of GET /api/work/ledger: {error!r}", file=sys.stderr)
        return 2
    if damage:
        print(f"BROKEN  tenant {pages[0]['tenant_id']}, {damage}")
        return 1
    entries, head = sum(len(page["entries"]) for page in pages), pages[-1]["head"]
    print(f"OK  tenant {pages[0]['tenant_id']}: {entries} entries hold. Note this head elsewhere: {head['seq']}:{head['hash']}" if head else "OK  no entries yet")
    return 0


if __name__ == "__main__":
    sys.exit(main())
