"""A world small enough to know the truth of: works in groups that texts say nothing of, readers of one group each."""

import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import torch

from models.memory import Companions, Memory
from models.policy import Policy, PolicyConfig
from models.states import TEXT_DIM, Act, Catalogue
from openshelf.contracts import Action
from openshelf.database.episodes import SeenSlate, StoredAct

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
GROUPS = 6
COUNT_WORKS = 60
SLATE = 6


def unit_rows(count: int, seed: int = 0, dim: int = TEXT_DIM) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def catalogue_of(count: int = COUNT_WORKS, seed: int = 0) -> Catalogue:
    return Catalogue(np.arange(1, count + 1), unit_rows(count, seed), np.zeros(count, dtype=np.float32))


def newborn(config: PolicyConfig | None = None, seed: int = 0) -> Policy:
    """A policy that has learned nothing, with an arbitrary adapter."""
    config = config or PolicyConfig(dim=16, hidden=16)
    torch.manual_seed(seed)
    adapter = torch.linalg.qr(torch.randn(TEXT_DIM, config.dim))[0].T.contiguous()
    return Policy(config, adapter, torch.empty(0, dtype=torch.int64)).eval()


def restless(catalogue: Catalogue) -> Policy:
    """Any numbers other than those of birth, in every parameter, and a memory of eight companions of each work."""
    policy = newborn().grown(catalogue.book_ids)
    generator, count = torch.Generator().manual_seed(5), len(catalogue.book_ids)
    companions = [
        Companions(
            torch.randint(count, (count, 8), generator=generator, dtype=torch.int32),
            torch.rand(count, 8, generator=generator).half() / 4,
        )
        for _ in range(2)
    ]
    policy.remembering(Memory(*companions), catalogue)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return policy.eval()


def group_of(book_id: int) -> int:
    return book_id % GROUPS


def act(book_id: int | None, action: Action = Action.LIKE, reward: float = 2.0, minutes_ago: float = 5.0) -> Act:
    return Act(book_id, action, reward, START - timedelta(minutes=minutes_ago))


def logged_world(readers: int, seed: int) -> tuple[list[SeenSlate], list[StoredAct]]:
    """Uniformly random slates; a reader opens what is of their group and skips the rest."""
    rng = np.random.default_rng(seed)
    slates: list[SeenSlate] = []
    acts: list[StoredAct] = []
    for reader in range(readers):
        key, session = f"r_{reader:04d}", uuid.UUID(int=rng.integers(2**62).item() * 4 + 1)
        taste, left, now = int(rng.integers(GROUPS)), list(range(1, COUNT_WORKS + 1)), START + timedelta(minutes=reader)
        for _ in range(6):
            chosen = rng.choice(left, size=SLATE, replace=False).tolist()
            propensities = [1 / (len(left) - place) for place in range(SLATE)]
            slate_id = uuid.UUID(int=rng.integers(2**62).item() * 4 + 2)
            slates.append(SeenSlate(slate_id, key, session, now, now, chosen, propensities))
            for book_id in chosen:
                now += timedelta(seconds=5)
                is_liked = group_of(book_id) == taste
                action, reward = (Action.OPEN, 1.0) if is_liked else (Action.SKIP, -1.0)
                acts.append(StoredAct(key, session, now, action.value, book_id, slate_id, reward))
                left.remove(book_id)
    slates.sort(key=lambda slate: slate.created_at)
    return slates, acts
