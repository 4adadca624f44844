"""Reads the corpus and the public sets that the encoder is trained on.

Nothing here knows of the network. All chance comes from the generator given.
"""

import gzip
import json
import random
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

# Public sets of customers' texts; source and licence of each stand in
# docs/model-card.md.
PUBLIC = [
    "fincorp", "cesamard", "vader_tweets", "vader_amazon", "uci_sentences",
    "skytrax", "amazon_apps", "hotel_reviews", "course_evaluations", "product_tweets",
]

CATEGORIES = [
    "refund_request", "cancellation", "reduction", "churn_threat", "legal_safety", "public_warning",
    "no_reply", "missed_appointment", "late", "rude", "damaged", "wrong_item", "billing", "price",
    "quality", "other",
]


@dataclass
class Example:
    """One message. red, categories and words are None where its set does not say."""

    text: str
    flag: int  # 1: review or red
    question: str = ""
    red: int | None = None
    categories: dict[str, float] | None = None  # how sure it is that it is about each; others 0
    words: list[str] | None = None  # stretches of the text that decide
    group: str = ""


def held_back(group: str) -> bool:
    """Whether a group of the corpus is kept out of training, to calibrate. The
    same as HeldBack in internal/train."""
    return zlib.crc32(group.encode()) % 10 == 0


def categories(row: dict) -> dict[str, float]:
    """What a message of the corpus is about. A category that only one of two
    readings names counts half; where a third reading settled the message, its word
    stands."""
    first, second = row["first"], row["second"]
    if first["level"] != second["level"]:
        return dict.fromkeys(row["categories"], 1.0)
    both = Counter(set(first["categories"])) + Counter(set(second["categories"]))
    return {c: n / 2 for c, n in both.items()}


def corpus(path: Path, part: str = "all", share: float = 1.0) -> list[Example]:
    """The messages of a file of the corpus: "train" those trained on, "held"
    those held back. share below 1 takes so many of the groups, for the learning
    curve; minimal pairs stay together."""
    out = []
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    for row in rows:
        group = row["group"] or row["id"]
        if part != "all" and held_back(group) != (part == "held"):
            continue
        if zlib.crc32(b"share" + group.encode()) % 1000 >= share * 1000:
            continue
        flag = int(row["level"] != "none")
        out.append(Example(
            row["text"], flag, row["question"], int(row["level"] == "red"),
            categories(row), row["words"] if flag else None, group,
        ))
    return out


def public(folder: Path, name: str, split: str = "train") -> list[Example]:
    """The rows of one public set; label 1 is a complaint."""
    with gzip.open(folder / "text" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return [Example(r["text"], r["label"]) for r in rows if r["split"] == split]


def drawn(path: Path) -> list[Example]:
    """Messages drawn from patterns; label 1 is to be flagged."""
    with open(path, encoding="utf-8") as file:
        return [Example(r["text"], r["label"]) for r in map(json.loads, file)]


def draw(rows: list[Example], n: int, rng: random.Random) -> list[Example]:
    """At most n rows, a quarter of them complaints at least where there are enough."""
    red = [r for r in rows if r.flag]
    quiet = [r for r in rows if not r.flag]
    n = min(n, len(rows))
    want = min(len(red), max(n // 4, round(n * len(red) / len(rows))))
    return rng.sample(red, want) + rng.sample(quiet, min(len(quiet), n - want))
