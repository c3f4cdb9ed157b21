"""`python -m old_design.service PORT REDIS_PORT COUNT_BOOKS`: the recommendation service.

Settings are the defaults of its parts. Where they leave a choice it is the faster one: five records in one command to
Redis, and a handler in the event loop, which spares a thread's hand-over.
"""

import json
import sys
import time

import redis  # pyright: ignore[reportMissingImports] - in the environment of its own
import torch
import uvicorn
from fastapi import FastAPI

from .messages import COUNT_RECOMMENDED, RECOMMENDATIONS
from .policy_network import EMBEDDING, PolicyNetwork

# Untrained, which costs what it costs when trained.
SEED = 0


def make_app(store: redis.Redis, count_books: int) -> FastAPI:
    torch.manual_seed(SEED)
    books = torch.nn.functional.normalize(torch.randn(count_books, EMBEDDING))
    policy = PolicyNetwork(count_books).eval()
    app = FastAPI()

    @app.post("/predict/")
    async def predict(events: list[list[str | int]]) -> dict[str, list[int]]:
        session_id, reader = events[-1][0], events[-1][1]
        rows = torch.tensor([int(book_id) - 1 for _, _, book_id, _ in events])
        rewards = torch.tensor([{-1: 0, 1: 1, 2: 2}[int(reward)] for _, _, _, reward in events])
        with torch.no_grad():
            best = policy(books[rows], rewards).topk(COUNT_RECOMMENDED).indices
        recommended = [row + 1 for row in best.tolist()]
        store.delete(f"rec:{reader}")
        store.rpush(f"rec:{reader}", *recommended)
        now = time.time()
        records = [{"sid": session_id, "uid": reader, "bid": book_id, "timestamp": now} for book_id in recommended]
        store.rpush(RECOMMENDATIONS, *map(json.dumps, records))
        return {"result": recommended}

    @app.get("/rec/")
    async def recommendations(uid: str) -> dict[str, list[int]]:
        return {"result": [int(book_id) for book_id in store.lrange(f"rec:{uid}", 0, -1)]}

    return app


def main() -> None:
    port, redis_port, count_books = map(int, sys.argv[1:])
    store = redis.Redis(port=redis_port, decode_responses=True, socket_timeout=10)
    uvicorn.run(make_app(store, count_books), host="127.0.0.1", port=port)


if __name__ == "__main__":
    main()
