"""Writes a BERT encoder with its heads as the file that the Go package
signals/text/encoder reads; that package's documentation tells the format.

As a module: export(), keepable(), load().
As a program: exports a folder of Hugging Face files (config.json,
model.safetensors, vocab.txt) with heads of zero, to try it:

    python export.py MODEL_FOLDER OUT.bin
"""

import json
import struct
import sys
import unicodedata
from collections import Counter
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

MAGIC = b"redalert-encoder\x01"
ALIGNMENT = 64
PANEL = 16
MAX_FLOAT = 100.0  # as in the Go package
MAX_HEAD = 1e4
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def keepable(vocab: list[str], uses: Counter[str] | None = None, most: int = 0) -> list[int]:
    """The rows of a vocabulary worth keeping for texts in Latin script: special
    tokens, and words whose letters are all Latin. Digits, punctuation and
    symbols stay; unused words and other scripts go. With most, only so many:
    special tokens and single characters first, then the words that uses counts
    twice at least, then the vocabulary's own order, which is by frequency. What
    goes is read in pieces."""
    rows = [i for i, word in enumerate(vocab) if word in SPECIAL or _latin(word)]
    if not most:
        return rows
    uses = uses or Counter()
    needed = lambda word: word in SPECIAL or len(word.removeprefix("##")) == 1
    rows.sort(key=lambda i: (not needed(vocab[i]), uses[vocab[i]] < 2, i))
    return sorted(rows[:most])


def _latin(word: str) -> bool:
    if word.startswith("[unused") or word in SPECIAL:
        return False
    for char in word:
        category = unicodedata.category(char)
        if category[0] in "LM" and not unicodedata.name(char, "").startswith(("LATIN", "MODIFIER LETTER")):
            return False
    return True


def quantise(weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows as int8 with one scale each, symmetric."""
    scale = (np.abs(weight).max(axis=1) / 127).astype(np.float32)
    divisor = np.where(scale > 0, scale, 1)[:, None]
    return np.clip(np.rint(weight / divisor), -127, 127).astype(np.int8), scale


def pack(weight: np.ndarray) -> np.ndarray:
    """[out][in] as panels: [out/16][in/2][16][2]."""
    out, width = weight.shape
    if out % PANEL or width % PANEL:
        raise ValueError(f"a linear layer of {width} to {out}: both must be multiples of {PANEL}")
    return weight.reshape(out // PANEL, PANEL, width // 2, 2).transpose(0, 2, 1, 3)


class _Writer:
    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def block(self, raw: bytes) -> None:
        self.file.write(struct.pack("<I", len(raw)) + raw)

    def tensor(self, array: np.ndarray) -> None:
        self.file.write(b"\0" * (-self.file.tell() % ALIGNMENT))
        self.file.write(np.ascontiguousarray(array).tobytes())

    def floats(self, name: str, array: np.ndarray, limit: float = MAX_FLOAT) -> None:
        if not np.all(np.abs(array) <= limit):
            raise ValueError(f"{name} has numbers beyond ±{limit}, or that are none")
        self.tensor(array.astype("<f4"))

    def linear(self, name: str, weight: np.ndarray, bias: np.ndarray) -> None:
        rows, scale = quantise(weight)
        self.tensor(pack(rows))
        self.floats(name + " scales", scale, 1)
        self.floats(name + " bias", bias)


def export(
    state: dict[str, torch.Tensor],
    vocab: list[str],
    keep: list[int],
    heads: dict[str, torch.Tensor],
    config: dict,
    path: str | Path,
) -> None:
    """Writes the file.

    state has the names of Hugging Face's BertModel, a leading "bert." aside.
    vocab is the whole vocabulary, keep the rows of it that are written, in the
    order of their new ids. heads has "sentence.weight" [N][hidden],
    "sentence.bias" [N], "word.weight" [hidden] or [1][hidden] and "word.bias";
    what is missing is zero. config has "version", "outputs" (N names),
    "num_attention_heads" and may have "max_tokens" (128), "question_tokens"
    (32) and "layer_norm_eps" (1e-12); what else it has is ignored.
    Raises KeyError for a missing tensor, ValueError for one that does not fit.
    """
    arrays = {k.removeprefix("bert."): v.detach().to(torch.float32).cpu().numpy() for k, v in state.items()}
    layers = 1 + max(int(k.split(".")[2]) for k in arrays if k.startswith("encoder.layer."))
    hidden = arrays["embeddings.word_embeddings.weight"].shape[1]
    positions = min(config.get("max_tokens", 128), len(arrays["embeddings.position_embeddings.weight"]))
    header = {
        "version": config["version"],
        "layers": layers,
        "hidden": hidden,
        "heads": config["num_attention_heads"],
        "intermediate": len(arrays["encoder.layer.0.intermediate.dense.weight"]),
        "positions": positions,
        "question_tokens": config.get("question_tokens", 32),
        "layer_norm_eps": config.get("layer_norm_eps", 1e-12),
        "outputs": list(config["outputs"]),
    }
    words = [vocab[i] for i in keep]
    if len(set(words)) != len(words) or any("\n" in w or not w for w in words):
        raise ValueError("the vocabulary has a word twice, an empty one or one with a newline")
    with open(path, "wb") as file:
        writer = _Writer(file)
        file.write(MAGIC)
        writer.block(json.dumps(header, ensure_ascii=False).encode())
        writer.block("".join(w + "\n" for w in words).encode())
        _embeddings(writer, arrays, keep, positions)
        for i in range(layers):
            _layer(writer, arrays, f"encoder.layer.{i}.")
        _heads(writer, heads, len(header["outputs"]), hidden)


def _embeddings(writer: _Writer, arrays: dict[str, np.ndarray], keep: list[int], positions: int) -> None:
    words, scale = quantise(arrays["embeddings.word_embeddings.weight"][keep])
    writer.tensor(words)
    writer.floats("word scales", scale, 1)
    writer.floats("positions", arrays["embeddings.position_embeddings.weight"][:positions])
    writer.floats("types", arrays["embeddings.token_type_embeddings.weight"])
    _norm(writer, arrays, "embeddings.LayerNorm")


def _norm(writer: _Writer, arrays: dict[str, np.ndarray], name: str) -> None:
    writer.floats(name, arrays[name + ".weight"])
    writer.floats(name, arrays[name + ".bias"])


def _layer(writer: _Writer, arrays: dict[str, np.ndarray], prefix: str) -> None:
    def linear(*names: str) -> None:
        weight = np.concatenate([arrays[prefix + n + ".weight"] for n in names])
        bias = np.concatenate([arrays[prefix + n + ".bias"] for n in names])
        writer.linear(prefix + names[0], weight, bias)

    linear("attention.self.query", "attention.self.key", "attention.self.value")
    linear("attention.output.dense")
    _norm(writer, arrays, prefix + "attention.output.LayerNorm")
    linear("intermediate.dense")
    linear("output.dense")
    _norm(writer, arrays, prefix + "output.LayerNorm")


def _heads(writer: _Writer, heads: dict[str, torch.Tensor], outputs: int, hidden: int) -> None:
    shapes = {
        "sentence.weight": (outputs, hidden),
        "sentence.bias": (outputs,),
        "word.weight": (hidden,),
        "word.bias": (1,),
    }
    if unknown := set(heads) - set(shapes):
        raise ValueError(f"unknown heads: {sorted(unknown)}")
    for name, shape in shapes.items():
        tensor = heads.get(name, torch.zeros(shape))
        writer.floats(name, tensor.detach().to(torch.float32).cpu().numpy().reshape(shape), MAX_HEAD)


def load(folder: str | Path) -> tuple[dict[str, torch.Tensor], list[str], dict]:
    """State, vocabulary and configuration of a folder of Hugging Face files."""
    from safetensors.torch import load_file

    folder = Path(folder)
    state = load_file(folder / "model.safetensors")
    vocab = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return state, vocab, json.loads((folder / "config.json").read_text())


if __name__ == "__main__":
    bert, all_words, settings = load(sys.argv[1])
    settings |= {"version": "untrained", "outputs": ["flag"]}
    export(bert, all_words, keepable(all_words), {}, settings, sys.argv[2])
