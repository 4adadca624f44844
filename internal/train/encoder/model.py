"""The network that train.py fits: BERT with two heads, in the shape that
signals/text/encoder runs. Names of the weights are those of Hugging Face's
BertModel, so that published weights load as they are."""

import torch
from torch import nn
from torch.nn import functional as F

HIDDEN, HEADS, INNER, EPS = 384, 12, 1536, 1e-12


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.ModuleDict({
            "self": nn.ModuleDict({k: nn.Linear(HIDDEN, HIDDEN) for k in ("query", "key", "value")}),
            "output": _output(HIDDEN),
        })
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(HIDDEN, INNER)})
        self.output = _output(INNER)

    def forward(self, x: torch.Tensor, mask: torch.Tensor, drop: float) -> torch.Tensor:
        batch, tokens, _ = x.shape
        own, out = self.attention["self"], self.attention["output"]
        q, k, v = (own[n](x).view(batch, tokens, HEADS, -1).transpose(1, 2) for n in ("query", "key", "value"))
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        seen = seen.transpose(1, 2).reshape(batch, tokens, HIDDEN)
        x = out["LayerNorm"](x + F.dropout(out["dense"](seen), drop, self.training))
        wide = F.gelu(self.intermediate["dense"](x))
        return self.output["LayerNorm"](x + F.dropout(self.output["dense"](wide), drop, self.training))


def _output(width: int) -> nn.ModuleDict:
    return nn.ModuleDict({"dense": nn.Linear(width, HIDDEN), "LayerNorm": nn.LayerNorm(HIDDEN, eps=EPS)})


class Encoder(nn.Module):
    """Answers the logits of a batch of inputs and those of their tokens."""

    def __init__(self, layers: int, words: int, outputs: int, drop: float = 0.1) -> None:
        super().__init__()
        self.embeddings = nn.ModuleDict({
            "word_embeddings": nn.Embedding(words, HIDDEN),
            "position_embeddings": nn.Embedding(512, HIDDEN),
            "token_type_embeddings": nn.Embedding(2, HIDDEN),
            "LayerNorm": nn.LayerNorm(HIDDEN, eps=EPS),
        })
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(Layer() for _ in range(layers))})
        self.sentence = nn.Linear(HIDDEN, outputs)
        self.word = nn.Linear(HIDDEN, 1)
        self.drop = drop

    def forward(self, ids: torch.Tensor, types: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        e = self.embeddings
        positions = torch.arange(ids.shape[1])
        x = e["word_embeddings"](ids) + e["position_embeddings"](positions)[None] + e["token_type_embeddings"](types)
        x = F.dropout(e["LayerNorm"](x), self.drop, self.training)
        for layer in self.encoder["layer"]:
            x = layer(x, mask[:, None, None, :], self.drop)
        weight = mask[:, :, None].float()
        pooled = (x * weight).sum(1) / weight.sum(1)
        return self.sentence(F.dropout(pooled, self.drop, self.training)), self.word(x)[..., 0]

    def heads(self) -> dict[str, torch.Tensor]:
        return {f"{n}.{p}": getattr(getattr(self, n), p) for n in ("sentence", "word") for p in ("weight", "bias")}
