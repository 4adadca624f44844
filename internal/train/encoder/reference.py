"""BERT in float32 with PyTorch, to compare the Go encoder with."""

import torch
import torch.nn.functional as F


def forward(state: dict[str, torch.Tensor], config: dict, ids: list[int], types: list[int]) -> torch.Tensor:
    """The last hidden state [tokens][hidden] of one input."""
    eps = config.get("layer_norm_eps", 1e-12)

    def norm(name: str, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x, x.shape[-1:], state[name + ".weight"], state[name + ".bias"], eps)

    def linear(name: str, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, state[name + ".weight"], state[name + ".bias"])

    heads = config["num_attention_heads"]
    words, positions, kinds = (
        state[f"embeddings.{n}_embeddings.weight"] for n in ("word", "position", "token_type")
    )
    x = words[torch.tensor(ids)] + positions[: len(ids)] + kinds[torch.tensor(types)]
    x = norm("embeddings.LayerNorm", x)
    layers = 1 + max(int(k.split(".")[2]) for k in state if k.startswith("encoder.layer."))
    for i in range(layers):
        prefix = f"encoder.layer.{i}."
        q, k, v = (
            linear(prefix + f"attention.self.{n}", x).view(len(ids), heads, -1).transpose(0, 1)
            for n in ("query", "key", "value")
        )
        attended = F.scaled_dot_product_attention(q, k, v).transpose(0, 1).reshape(len(ids), -1)
        x = norm(prefix + "attention.output.LayerNorm", x + linear(prefix + "attention.output.dense", attended))
        inner = F.gelu(linear(prefix + "intermediate.dense", x))
        x = norm(prefix + "output.LayerNorm", x + linear(prefix + "output.dense", inner))
    return x
