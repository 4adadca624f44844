"""Fine-tunes the second stage of the text model and writes it for Go:

    pip install -r requirements.txt
    python train.py --start MODEL_FOLDER --data DIR --out encoder.bin

MODEL_FOLDER holds bge-small-en-v1.5 (model.safetensors, vocab.txt), DIR the
public sets (text/*.jsonl.gz). The same data, options and versions give the same
weights on one machine, in one process or two (--processes, one a core).
Afterwards `redalert train` joins the stages.

--hold SET,SET keeps public sets out and measures on them; --share 0.5 trains on
half of the corpus, for the learning curve.
"""

import argparse
import os
import random
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn import functional as F

import data
import export
import golden
from model import HEADS, Encoder

OUTPUTS = ["flag", "red"] + ["cat:" + c for c in data.CATEGORIES]
MAX, QUESTION = 128, 32  # tokens of an input, and of its question
WORDS = 20_000  # of the vocabulary: what leaves the file below 30 MB
CORPUS = Path(__file__).parents[3] / "signals/text/corpus"

# How much each head counts beside the flag's.
RED, CATEGORY, WORD = 0.5, 0.5, 0.6
CATEGORY_WEIGHT = 3.0  # of a category that is there, beside one that is not


class Input:
    """An example as tokens; words has a target for each token, -1 where there is none."""

    def __init__(self, tok: Tokenizer, ex: data.Example, most: int = MAX) -> None:
        self.example = ex
        coded = tok.encode(ex.text, add_special_tokens=False)
        ids, spans = coded.ids, coded.offsets
        asked = tok.encode(ex.question, add_special_tokens=False).ids[:QUESTION] if ex.question else []
        cls, sep = tok.token_to_id("[CLS]"), tok.token_to_id("[SEP]")
        before = [cls] + (asked + [sep] if asked else [])
        room = max(most - len(before) - 1, 8)
        if len(ids) > room:  # as signals/text/encoder: the beginning and the end
            head, tail = room - room // 4, room // 4
            ids, spans = ids[:head] + ids[-tail:], spans[:head] + spans[-tail:]
        self.ids = before + ids + [sep]
        self.types = [0] * len(before) + [1 if asked else 0] * (len(ids) + 1)
        self.words = [-1.0] * len(self.ids)
        for w in ex.words or []:
            at = ex.text.find(w)
            for i, (start, end) in enumerate(spans):
                t = len(before) + i
                self.words[t] = max(self.words[t], float(at < end and start < at + len(w)))


def batches(inputs: list[Input], tokens: int, rng: random.Random | None) -> list[list[Input]]:
    """Inputs of like length together, at most so many tokens a batch; in random
    order with rng. A minimal pair or triple stays in one batch."""
    groups: dict[str, list[Input]] = {}
    for n, i in enumerate(inputs):
        groups.setdefault(i.example.group or f"#{n}", []).append(i)
    longest = lambda group: max(len(i.ids) for i in group)
    out: list[list[Input]] = []
    for group in sorted(groups.values(), key=lambda g: (longest(g), rng.random() if rng else 0)):
        if not out or (len(out[-1]) + len(group)) * longest(group) > tokens:
            out.append([])
        out[-1].extend(group)
    if rng:
        rng.shuffle(out)
    return out


def tensors(batch: list[Input]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    n = max(len(i.ids) for i in batch)
    ids, types = (torch.zeros(len(batch), n, dtype=torch.long) for _ in range(2))
    mask = torch.zeros(len(batch), n, dtype=torch.bool)
    words = torch.full((len(batch), n), -1.0)
    for row, i in enumerate(batch):
        k = len(i.ids)
        ids[row, :k], types[row, :k] = torch.tensor(i.ids), torch.tensor(i.types)
        mask[row, :k], words[row, :k] = True, torch.tensor(i.words)
    return ids, types, mask, words


def targets(batch: list[Input]) -> torch.Tensor:
    """What each output should say; -1 where it is not known."""
    y = torch.full((len(batch), len(OUTPUTS)), -1.0)
    for row, i in enumerate(batch):
        y[row, 0] = i.example.flag
        if i.example.red is not None:
            y[row, 1] = i.example.red
            y[row, 2:] = torch.tensor([i.example.categories.get(c, 0.0) for c in data.CATEGORIES])
    return y


def pairs(batch: list[Input]) -> tuple[list[int], list[int]]:
    """Rows of a batch that are the same message, once to be flagged and once not."""
    flagged, quiet = [], []
    for a, one in enumerate(batch):
        for b, other in enumerate(batch):
            if one.example.group and one.example.group == other.example.group and one.example.flag > other.example.flag:
                flagged.append(a)
                quiet.append(b)
    return flagged, quiet


def loss_of(logits: torch.Tensor, word_logits: torch.Tensor, y: torch.Tensor, words: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of what is known, summed over the messages; that of a
    message's words is their mean."""
    weight = torch.ones(len(OUTPUTS))
    weight[2:] = CATEGORY_WEIGHT
    each = F.binary_cross_entropy_with_logits(logits, y.clamp(min=0), pos_weight=weight, reduction="none") * (y >= 0)
    said = (words >= 0).float()
    word = F.binary_cross_entropy_with_logits(word_logits, words.clamp(min=0), reduction="none") * said
    word = word.sum(1) / said.sum(1).clamp(min=1)
    return (each[:, 0] + RED * each[:, 1] + CATEGORY * each[:, 2:].sum(1) + WORD * word).sum()


def predict(model: Encoder, tok: Tokenizer, examples: list[data.Example]) -> np.ndarray:
    model.eval()
    inputs = [Input(tok, ex) for ex in examples]
    place = {id(i): n for n, i in enumerate(inputs)}
    out = np.zeros((len(inputs), len(OUTPUTS)), dtype=np.float32)
    with torch.no_grad():
        for batch in batches(inputs, 4096, None):
            ids, types, mask, _ = tensors(batch)
            out[[place[id(i)] for i in batch]] = model(ids, types, mask)[0].numpy()
    model.train()
    return out


def auroc(p: np.ndarray, y: np.ndarray) -> float:
    """Mann-Whitney; ties are not seen, since logits have none."""
    rank = np.empty(len(p))
    rank[np.argsort(p, kind="stable")] = np.arange(1, len(p) + 1)
    red = y == 1
    n, m = red.sum(), (~red).sum()
    return float((rank[red].sum() - n * (n + 1) / 2) / (n * m)) if n and m else float("nan")


def report(name: str, model: Encoder, tok: Tokenizer, examples: list[data.Example]) -> None:
    p = predict(model, tok, examples)
    y = np.array([e.flag for e in examples])
    hit = ((p[:, 0] > 0) & (y == 1)).sum()
    f1 = 2 * hit / max((p[:, 0] > 0).sum() + y.sum(), 1)
    print(f"{name}: {len(y)} messages, AUROC {auroc(p[:, 0], y):.4f}, F1 {f1:.3f}", flush=True)


def start(folder: Path, texts: list[str]) -> tuple[Encoder, list[str], Tokenizer]:
    """The network with published weights and new heads, over the words worth keeping."""
    state = load_file(folder / "model.safetensors")
    vocab = [w for w in (folder / "vocab.txt").read_text(encoding="utf-8").split("\n") if w]
    whole = golden.tokenizer(vocab)
    uses = Counter(t for text in texts for t in whole.encode(text, add_special_tokens=False).tokens)
    keep = export.keepable(vocab, uses, WORDS)
    state["embeddings.word_embeddings.weight"] = state["embeddings.word_embeddings.weight"][keep]
    words = [vocab[i] for i in keep]
    layers = 1 + max(int(k.split(".")[2]) for k in state if k.startswith("encoder.layer."))
    model = Encoder(layers, len(words), len(OUTPUTS))
    missing, _ = model.load_state_dict(state, strict=False)
    if any(not m.startswith(("sentence.", "word.")) for m in missing):
        raise KeyError(f"{folder} lacks {missing}")
    return model, words, golden.tokenizer(words)


def total_loss(model: Encoder, batch: list[Input], apart: float) -> torch.Tensor:
    ids, types, mask, words = tensors(batch)
    logits, word_logits = model(ids, types, mask)
    loss = loss_of(logits, word_logits, targets(batch), words)
    flagged, quiet = pairs(batch)
    if flagged and apart:  # Burges et al. 2005 (RankNet)
        loss = loss + apart * F.softplus(logits[quiet, 0] - logits[flagged, 0]).sum()
    return loss


def gather(parameters: list[torch.nn.Parameter]) -> None:
    """Adds the gradients of all processes; those of what a step did not use are zero."""
    one = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters])
    if dist.is_initialized():
        dist.all_reduce(one)
    for p, grad in zip(parameters, one.split([p.numel() for p in parameters])):
        p.grad = grad.view_as(p)


def fit(model: Encoder, steps: list[list[list[Input]]], rate: float, apart: float, seed: int) -> None:
    """AdamW; the rate rises over the first 6 % of the steps and falls to zero.
    Word embeddings stay as they are. The batches of a step are shared among the
    processes; chance is drawn for each batch anew, so that it does not matter
    which process reads it. Every message of a step counts alike, and a step has
    batches of several lengths, so that short messages count as much as long ones."""
    model.embeddings["word_embeddings"].weight.requires_grad_(False)
    heads = list(model.sentence.parameters()) + list(model.word.parameters())
    body = [p for n, p in model.named_parameters() if p.requires_grad and not n.startswith(("sentence.", "word."))]
    optimizer = torch.optim.AdamW([{"params": body, "lr": rate}, {"params": heads, "lr": 1e-3}], weight_decay=0.01)
    total = len(steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min((s + 1) / (0.06 * total), max(total - s, 0) / (0.94 * total)))
    rank, world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    begun, mean = time.monotonic(), 0.0
    model.train()
    for step, batches_of in enumerate(steps, 1):
        optimizer.zero_grad(set_to_none=True)
        messages = sum(map(len, batches_of))
        for place in range(rank, len(batches_of), world):
            torch.manual_seed((seed << 32) + step * 64 + place)
            loss = total_loss(model, batches_of[place], apart) / messages
            loss.backward()
            mean = 0.99 * mean + 0.01 * loss.item() * len(batches_of)
        gather(body + heads)
        torch.nn.utils.clip_grad_norm_(body, 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0 and rank == 0:
            left = (time.monotonic() - begun) * (total - step) / step / 60
            print(f"{step}/{total} loss {mean:.3f}, {left:.0f} minutes left", flush=True)


def main() -> None:
    args = arguments()
    if args.processes == 1:
        train(0, args)
        return
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(args.port))
    mp.spawn(train, (args,), args.processes)


def arguments() -> argparse.Namespace:
    a = argparse.ArgumentParser()
    a.add_argument("--start", type=Path, required=True)
    a.add_argument("--data", type=Path, required=True)
    a.add_argument("--out", type=Path, required=True)
    a.add_argument("--version", default="encoder-4")
    a.add_argument("--hold", default="")
    a.add_argument("--share", type=float, default=1.0)
    a.add_argument("--epochs", type=int, default=3)
    a.add_argument("--rows", type=int, default=300, help="of a public set, an epoch")
    a.add_argument("--short", type=int, default=56, help="tokens of a public text")
    a.add_argument("--rate", type=float, default=1e-4)
    a.add_argument("--apart", type=float, default=0.5, help="how much the order within a minimal pair counts")
    a.add_argument("--drawn", type=Path, help="messages drawn from patterns, as redalert train --drawn writes them")
    a.add_argument("--tokens", type=int, default=256, help="of a batch")
    a.add_argument("--batches", type=int, default=4, help="of a step")
    a.add_argument("--seed", type=int, default=7)
    a.add_argument("--processes", type=int, default=1, choices=(1, 2), help="more would add gradients in another order")
    a.add_argument("--port", type=int, default=29471, help="over which the processes speak")
    return a.parse_args()


def train(rank: int, args: argparse.Namespace) -> None:
    """What one process does; the first one writes and reports."""
    if args.processes > 1:
        dist.init_process_group("gloo", rank=rank, world_size=args.processes)
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    torch.use_deterministic_algorithms(True)
    rng = random.Random(args.seed)
    held = [h for h in args.hold.split(",") if h]
    own = data.corpus(CORPUS / "train.jsonl", "train", args.share)
    sets = [data.public(args.data, n) for n in data.PUBLIC if n not in held]
    if args.drawn:
        sets.append(data.drawn(args.drawn))
    model, words, tok = start(args.start, [ex.text for rows in [own, *sets] for ex in rows])
    inputs = [Input(tok, ex) for ex in own]
    steps = []
    for _ in range(args.epochs):
        drawn = [Input(tok, ex, args.short) for rows in sets for ex in data.draw(rows, args.rows, rng)]
        epoch = batches(inputs + drawn, args.tokens, rng)
        steps += [epoch[i:i + args.batches] for i in range(0, len(epoch), args.batches)]
    fit(model, steps, args.rate, args.apart, args.seed)
    if rank > 0:
        return
    config = {"version": args.version, "outputs": OUTPUTS, "num_attention_heads": HEADS, "max_tokens": MAX, "question_tokens": QUESTION}
    state = {n: p for n, p in model.state_dict().items() if not n.startswith(("sentence.", "word."))}
    export.export(state, words, list(range(len(words))), model.heads(), config, args.out)
    report("corpus, held back", model, tok, data.corpus(CORPUS / "train.jsonl", "held"))
    for name in held:
        report(f"{name}, never seen", model, tok, data.public(args.data, name, "dev"))


if __name__ == "__main__":
    main()
