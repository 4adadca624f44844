"""Writes the test data of signals/text/encoder: what Hugging Face's tokenizers
and PyTorch say, for the Go code to be compared with.

    python golden.py VOCAB.txt TESTDATA_FOLDER

VOCAB.txt is that of bert-base-uncased; only words the texts need are kept.
"""

import itertools
import json
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

import export
import reference

TRICKY = [
    "", " ", "\n\t \r", ".", "!!!", "a", "I", "?!?!", "don't", "can’t", "won`t", "it's o'clock",
    "naïve café résumé", "CAFÉ Ångström", "Ålesund ØRSTED straße", "İstanbul ıstanbul", "Ǆ ǅ ǆ ﬁ ﬂ",
    "cafe\u0301 re\u0301sume\u0301", "e\u0301\u0302x", "\u0301start with a mark", "a\u0301", "n\u0303o se",
    "日本語のテキスト", "我要退款 right now", "refund退款now", "한국어 텍스트", "\uac01\uac00", "Привет мир", "ПЛОХО!", "γειά σου Κόσμε ς Σ",
    "שלום עולם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดี", "豈更車", "\U00020000\U0002f800 x", "ｆｕｌｌ ｗｉｄｔｈ！",
    "😀", "great 👍🏽 service", "❤️ love it", "👩‍👩‍👧‍👦 family", "🇩🇪🇫🇷", "😡😡😡 angry", "ok👌ok", "1️⃣ first", ":-) ;-( :'(",
    "https://example.com/path?a=1&b=2#frag", "www.example.org", "mail me: someone@example.com", "ftp://x.y/z_w~v",
    "no\u00a0break", "thin\u2009space", "zero\u200bwidth", "zero\u200djoin", "line\u2028sep\u2029para", "ideo\u3000graphic",
    "tab\tnew\nline\r\nend", "bell\x07char\x00null", "soft\u00adhyphen", "\ufeffbom first", "del\x7fete", "\x0bvt\x0cff", "nel\x85x",
    "replacement \ufffd char", "private \ue000 use", "\u202eright to left\u202c", "$100 €50 £20 ¥5", "50% off", "a+b=c", "x<y>z",
    "a^b|c~d`e", "≠ ≤ ∑ √", "½ ¼ ²³", "№5 ™ © ®", "“quoted” ‘single’ «guillemets» „low“", "dash–dash—dash-dash", "ellipsis… end...",
    "¿qué? ¡hola!", "\u037e greek question", "\u1fef backtick", "K\u212aelvin Å\u212b", "\u2000en quad", "[CLS] [SEP] [UNK] [MASK]", "##ing ##", "#hashtag @name",
    "under_score snake_case", "CamelCaseWord ALLCAPS", "3.14159 1,000,000 10:30pm 24/7", "2024-02-30T12:00:00Z", "v1.2.3-rc.4", "C++ C# .NET",
    "x" * 99, "x" * 100, "x" * 101, "é" * 100, "é" * 101, "ab" * 60 + " end", "unbelievableness", "antidisestablishmentarianism",
    "supercalifragilisticexpialidocious", "qwertyuiop zxcvbnm", "Donaudampfschifffahrtsgesellschaft", "aaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "wtf!!!1!", "sooooo baaaad", "pls fix asap thx", "w/o w/ b/c", "e-mail re-order co-op", "rock'n'roll", "(brackets) [square] {curly}",
    "\ta leading tab", "trailing space ", "  two  spaces  ", "a\u0300\u0301\u0302\u0303b", "Ω\u2126 µ\u00b5", "ŉ ſ ẞ", "ậ ệ ộ ử", "đ Đ ł Ł ħ",
    "\u0e33\u0eb3", "\u302ex", "a\u034fb", "x\ufe0fy", "\U000e0041tag", "\U0001d400\U0001d504 bold", "①②③ ⅷ", "ᏣᎳᎩ ꮳꮃꭹ", "\u2e3a long dash", "〜〝〟",
]

OPENERS = [
    "I am very disappointed", "Thanks for the quick reply", "This is the third time I write", "My order has not arrived",
    "Your app keeps crashing", "Nobody answers the phone", "Great support as always", "I would like to know",
    "Honestly, this is a scam", "We have been customers since 2009", "The delivery driver was rude", "Hi team",
]
MIDDLES = [
    "and I want my money back", "about the invoice of last month", "because the parcel was damaged",
    "so please close my account", "but the login still fails", "and I will talk to my lawyer",
    "since the update broke everything", "with the new dashboard",
]
CLOSERS = ["!", ". Regards, Kim", " — today.", "... never again!!", "?"]


def texts() -> list[str]:
    """Tricky ones, then sentences from all the parts in turn."""
    mixed = [
        f"{o} {m}{c}"
        for i, (o, m, c) in enumerate(itertools.product(OPENERS, MIDDLES, CLOSERS))
        if i % 4 == 0
    ]
    return TRICKY + mixed


def tokenizer(vocab: list[str]) -> Tokenizer:
    """BertTokenizer(do_lower_case=True), without special tokens in texts."""
    ids = {word: i for i, word in enumerate(vocab)}
    made = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    made.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=True, strip_accents=True, lowercase=True
    )
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return made


def subset(full: list[str], samples: list[str]) -> list[str]:
    used = set(export.SPECIAL) | {prefix + chr(c) for c in range(33, 127) for prefix in ("", "##")}
    whole = tokenizer(full)
    for text in samples:
        used.update(whole.encode(text).tokens)
    return [word for word in full if word in used]


def byte_span(text: str, start: int, end: int) -> list[int]:
    return [len(text[:start].encode()), len(text[:end].encode())]


def write_tokens(vocab: list[str], folder: Path) -> None:
    made = tokenizer(vocab)
    with open(folder / "tokens.jsonl", "w", encoding="utf-8") as file:
        for text in texts():
            coded = made.encode(text)
            spans = [byte_span(text, *offsets) for offsets in coded.offsets]
            file.write(json.dumps({"text": text, "ids": coded.ids, "spans": spans}) + "\n")


def tiny_state(words: int, hidden: int, inner: int, layers: int) -> dict[str, torch.Tensor]:
    """Random weights, wide enough that attention is not flat."""
    draw = torch.Generator().manual_seed(7)

    def normal(*shape: int, std: float) -> torch.Tensor:
        return torch.randn(*shape, generator=draw) * std

    state = {
        "embeddings.word_embeddings.weight": normal(words, hidden, std=0.5),
        "embeddings.position_embeddings.weight": normal(512, hidden, std=0.2),
        "embeddings.token_type_embeddings.weight": normal(2, hidden, std=0.2),
    }
    norms = ["embeddings.LayerNorm"]
    for i in range(layers):
        prefix = f"encoder.layer.{i}."
        shapes = {f"attention.self.{n}": (hidden, hidden) for n in ("query", "key", "value")}
        shapes |= {"attention.output.dense": (hidden, hidden)}
        shapes |= {"intermediate.dense": (inner, hidden), "output.dense": (hidden, inner)}
        for name, shape in shapes.items():
            state[prefix + name + ".weight"] = normal(*shape, std=shape[1] ** -0.5)
            state[prefix + name + ".bias"] = normal(shape[0], std=0.1)
        norms += [prefix + "attention.output.LayerNorm", prefix + "output.LayerNorm"]
    for name in norms:
        state[name + ".weight"] = 1 + normal(hidden, std=0.2)
        state[name + ".bias"] = normal(hidden, std=0.2)
    return state


def write_tiny(vocab: list[str], folder: Path) -> None:
    """A tiny random model and what PyTorch makes of some texts with it."""
    keep = [i for i, word in enumerate(vocab) if word in export.SPECIAL or len(word.removeprefix("##")) == 1]
    words = [vocab[i] for i in keep]
    state = tiny_state(len(vocab), 32, 64, 2)
    draw = torch.Generator().manual_seed(8)
    heads = {
        "sentence.weight": torch.randn(3, 32, generator=draw),
        "sentence.bias": torch.randn(3, generator=draw),
        "word.weight": torch.randn(32, generator=draw),
        "word.bias": torch.randn(1, generator=draw),
    }
    config = {"version": "tiny", "outputs": ["flag", "red", "cat:billing"], "num_attention_heads": 2}
    export.export(state, vocab, keep, heads, config, folder / "tiny.bin")
    state["embeddings.word_embeddings.weight"] = state["embeddings.word_embeddings.weight"][keep]
    made = tokenizer(words)
    cases = [("", ""), ("", "a bad day"), ("why?", "cafe closed at 5"), ("how was it", "no!"), ("", "i want my money back, now")]
    rows = [tiny_case(made, words, state, heads, config, *case) for case in cases]
    (folder / "tiny.json").write_text(json.dumps(rows, indent=1) + "\n")


def tiny_case(made: Tokenizer, words: list[str], state: dict, heads: dict, config: dict, question: str, text: str) -> dict:
    cls, sep = words.index("[CLS]"), words.index("[SEP]")
    coded = made.encode(text)
    first = [cls] + (made.encode(question).ids + [sep] if question else [])
    ids = first + coded.ids + [sep]
    types = [0] * len(ids) if not question else [0] * len(first) + [1] * (len(ids) - len(first))
    hidden = reference.forward(state, config, ids, types)
    pooled = hidden.mean(0)
    pieces = hidden @ heads["word.weight"] + heads["word.bias"]
    found: dict[int, float] = {}
    for i, word in enumerate(coded.word_ids):
        value = pieces[len(first) + i].item()
        found[word] = max(found.get(word, value), value)
    return {
        "question": question,
        "text": text,
        "logits": (heads["sentence.weight"] @ pooled + heads["sentence.bias"]).tolist(),
        "pooled": pooled.tolist(),
        "words": [found[k] for k in sorted(found)],
    }


if __name__ == "__main__":
    everything = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    out = Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    kept = subset(everything, texts())
    (out / "vocab.txt").write_text("".join(w + "\n" for w in kept), encoding="utf-8")
    write_tokens(kept, out)
    write_tiny(kept, out)
