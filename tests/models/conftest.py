"""One thread for all training in these tests: same sums in the same order, and no fighting over few cores."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)
