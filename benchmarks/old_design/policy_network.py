"""The policy network of the old design: the last events of a session in, a probability for each book out."""

import torch
from torch import Tensor, nn

EMBEDDING = 128
HIDDEN = 256
COUNT_REWARDS = 3  # skip, click, read


class PolicyNetwork(nn.Module):
    def __init__(self, count_books: int) -> None:
        super().__init__()
        self.reward = nn.Embedding(COUNT_REWARDS, EMBEDDING)
        self.attention = nn.Sequential(nn.Linear(2 * EMBEDDING, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1))
        self.interaction = nn.Sequential(nn.Linear(2 * EMBEDDING, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, EMBEDDING))
        self.context = nn.Sequential(nn.Linear(3 * EMBEDDING, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN))
        self.policy = nn.Sequential(nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, count_books))

    def forward(self, books: Tensor, rewards: Tensor) -> Tensor:
        """`books` (events, EMBEDDING) and `rewards` (events,), the latest last; probabilities (count_books,)."""
        pairs = torch.cat([books, self.reward(rewards)], dim=1)
        weighted = (self.attention(pairs).softmax(0) * books).sum(0)
        state = torch.cat([weighted, books[-1], self.interaction(pairs[-1])])
        return self.policy(self.context(state)).softmax(0)
