"""The loop learns, repeats itself under a seed, and never looks past the cut."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import torch
from toy_world import COUNT_WORKS, GROUPS, START, act, catalogue_of, group_of, logged_world, newborn

from models.episodes import attribute, build
from models.gate import judge, paired_interval
from models.plackett_luce import draw, slate_noise
from models.policy import Policy
from models.states import state_batch
from models.train import TrainConfig, fit, grown_moments
from models.training_data import LoggedData, split
from openshelf.contracts import Action
from openshelf.database.episodes import StoredAct

QUICK = TrainConfig(epochs=25, batch=128, learning_rate=1e-2)


def own_group_share(policy: Policy) -> float:
    """Share of drawn places that are of the group of the two works a reader liked."""
    catalogue = catalogue_of()
    histories = [[act(g + GROUPS), act(g + 3 * GROUPS)] for g in range(1, GROUPS + 1)] * 20
    with torch.inference_mode():
        items = policy.items(catalogue)
        logits = policy.rank(items, state_batch(histories, [START] * 120, catalogue))
        noise = slate_noise(list(range(120)), 5)
        allowed = torch.ones_like(logits, dtype=torch.bool)
        for row, acts in enumerate(histories):
            allowed[row, [catalogue.row_of[a.book_id or 0] for a in acts]] = False
        drawn = draw(logits, allowed, 5, noise=noise)
    books = catalogue.book_ids[drawn.rows.numpy()]
    tastes = np.array([group_of(acts[0].book_id or 0) for acts in histories])
    return float((group_of(books) == tastes[:, None]).mean())


def learned(config: TrainConfig = QUICK, seed: int = 1) -> Policy:
    slates, acts = logged_world(250, seed=3)
    catalogue = catalogue_of()
    return fit(newborn().grown(catalogue.book_ids), build(slates, acts, catalogue, 0.0), catalogue, config, seed).policy


@pytest.fixture(scope="module")
def better() -> Policy:
    """One that has learned; to be read only."""
    return learned()


def test_training_learns_what_texts_do_not_say_and_beats_random_clearly(better: Policy) -> None:
    assert own_group_share(better) > 0.6  # at random a sixth


def test_reward_of_logged_slates_alone_teaches_the_policy_too() -> None:
    config = TrainConfig(epochs=25, batch=128, learning_rate=1e-2, supervised_weight=0.0)

    assert own_group_share(learned(config)) > 0.6


def test_the_same_seed_gives_the_same_policy_and_another_seed_another() -> None:
    config = TrainConfig(epochs=2)

    first, again, other = (learned(config, seed).state_dict() for seed in (1, 1, 2))

    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["residual"], other["residual"])


def test_scoring_does_not_change_the_policy_and_dropout_is_off() -> None:
    policy = learned(TrainConfig(epochs=1))
    before = {name: tensor.clone() for name, tensor in policy.state_dict().items()}

    assert own_group_share(policy) == own_group_share(policy)
    assert all(torch.equal(before[name], tensor) for name, tensor in policy.state_dict().items())


def test_a_warm_start_goes_on_where_the_parent_stopped() -> None:
    slates, acts = logged_world(100, seed=3)
    catalogue = catalogue_of()
    episodes = build(slates, acts, catalogue, 0.0)
    config = TrainConfig(epochs=8, batch=64, learning_rate=5e-3)

    parent = fit(newborn().grown(catalogue.book_ids), episodes, catalogue, config, 1)
    child = fit(parent.policy, episodes, catalogue, config, 2, parent.optimiser)

    losses = [value for _, name, value in parent.curves if name == "loss/supervised"]
    first_of_child = next(value for _, name, value in child.curves if name == "loss/supervised")
    assert losses[-1] < losses[0]
    assert abs(first_of_child - losses[-1]) < 0.5 * (losses[0] - losses[-1])
    assert child.optimiser["residual.step"] > parent.optimiser["residual.step"]


def test_the_optimiser_grows_with_the_catalogue() -> None:
    old, new = np.array([2, 5]), np.array([1, 2, 5, 9])
    stored = {"residual.exp_avg": torch.tensor([[1.0], [2.0]]), "start.exp_avg": torch.tensor([3.0, 4.0])}

    grown = grown_moments(stored, old, new)

    assert grown["residual.exp_avg"].flatten().tolist() == [0.0, 1.0, 2.0, 0.0]
    assert grown["start.exp_avg"].tolist() == [3.0, 4.0]


def test_an_act_credits_the_slate_it_names_or_the_one_that_showed_the_book_in_the_session() -> None:
    slates, _ = logged_world(2, seed=0)
    first, second = slates[0], slates[-1]
    book = first.book_ids[2]

    def at(minute: int, action: str, reward: float, slate_id: object, session: object = first.session_id) -> StoredAct:
        return StoredAct("r", session, START + timedelta(minutes=minute), action, book, slate_id, reward)  # type: ignore[arg-type]

    rewards, shown = attribute(
        [first, second],
        [
            at(0, "open", 1.0, None),  # before it was shown: credits nobody
            at(1, "show", 0.0, first.slate_id),
            at(2, "open", 1.0, first.slate_id),
            at(3, "like", 2.0, None),
            at(4, "like", 2.0, None, second.session_id),  # never shown in that session
        ],
        6,
    )

    assert rewards[0].tolist() == [0, 0, 3, 0, 0, 0]
    assert shown[0].tolist() == [False, False, True, False, False, False]
    assert rewards[1].sum() == 0


def test_the_state_of_a_slate_holds_what_the_reader_did_before_it_and_nothing_later() -> None:
    slates, acts = logged_world(3, seed=0)
    catalogue = catalogue_of()
    episodes = build(slates, acts, catalogue, 0.0)
    third = [i for i, s in enumerate(slates) if s.reader_key == "r_0001"][2]

    at = episodes.slates.at.take(np.array([third]))
    batch = episodes.histories.windows(at.start, at.end, at.now)
    before = [a for a in acts if a.reader_key == "r_0001" and a.occurred_at <= slates[third].created_at]

    assert batch.rows[0].tolist() == [catalogue.row_of[a.book_id or 0] for a in before]
    assert len(before) == 12
    allowed = episodes.histories.allowed(at.start, at.end, COUNT_WORKS)[0]
    assert sorted(np.flatnonzero(~allowed).tolist()) == sorted(batch.rows[0].tolist())


def test_a_reset_forgets_what_came_before_it() -> None:
    slates, acts = logged_world(1, seed=0)
    key, session = acts[0].reader_key, acts[0].session_id
    reset = StoredAct(key, session, acts[8].occurred_at + timedelta(seconds=1), Action.RESET.value, None, None, 0.0)
    acts.insert(9, reset)

    episodes = build(slates, acts, catalogue_of(), 0.0)

    at = episodes.slates.at
    assert at.end[2] - at.start[2] == 3  # three of the second slate's six acts came after the reset


def test_nothing_after_the_cut_is_learned_from() -> None:
    slates, acts = logged_world(30, seed=2)
    catalogue, cut = catalogue_of(), slates[len(slates) // 2].created_at
    acts.sort(key=lambda a: (a.reader_key, a.occurred_at))

    train, later = split(LoggedData(slates, [], acts, START), catalogue, cut, TrainConfig())
    past_only = [a for a in acts if a.occurred_at < cut]
    alone, _ = split(
        LoggedData([s for s in slates if s.created_at < cut], [], past_only, START), catalogue, cut, TrainConfig()
    )

    assert (train.slates.at.now < cut.timestamp()).all()
    assert (train.targets.at.now < cut.timestamp()).all()
    assert (later.targets.at.now >= cut.timestamp()).all()
    assert np.array_equal(train.slates.returns, alone.slates.returns)
    assert np.array_equal(train.targets.weights, alone.targets.weights)


def test_the_gate_lets_the_better_policy_pass_and_refuses_the_worse(better: Policy) -> None:
    slates, acts = logged_world(60, seed=8)
    catalogue = catalogue_of()
    episodes = build(slates, acts, catalogue, 0.0)
    worse = newborn()

    passed = judge(better, worse, episodes, catalogue, seed=1, explore=0.05)
    refused = judge(worse, better, episodes, catalogue, seed=1, explore=0.05)

    assert passed.may_serve
    assert passed.metrics["gate/value"] > passed.metrics["gate/value_champion"]
    assert not refused.may_serve
    assert "worse than the champion" in refused.reason


def test_the_gate_ranks_by_unasked_acts_alone(better: Policy) -> None:
    slates, acts = logged_world(60, seed=8)
    unasked = [replace(a, slate_id=None) for a in acts]
    catalogue = catalogue_of()
    worse = newborn()

    asked_for = judge(better, worse, build(slates, acts, catalogue, 0.0), catalogue, seed=1, explore=0.05)
    organic = judge(better, worse, build([], unasked, catalogue, 0.0), catalogue, seed=1, explore=0.05)
    refused = judge(worse, better, build([], unasked, catalogue, 0.0), catalogue, seed=1, explore=0.05)

    assert asked_for.metrics["gate/targets"] == 0
    assert organic.metrics["gate/ndcg@10"] > organic.metrics["gate/ndcg@10_champion"]
    assert organic.may_serve
    assert not refused.may_serve


def test_the_gate_says_when_it_cannot_tell(better: Policy) -> None:
    slates, acts = logged_world(2, seed=8)
    episodes = build(slates, acts, catalogue_of(), 0.0)

    verdict = judge(better, newborn(), episodes, catalogue_of(), seed=1, explore=0.05)

    assert not verdict.may_serve
    assert "cannot tell yet" in verdict.reason


def test_an_interval_over_equal_differences_has_no_width() -> None:
    assert paired_interval(np.full(6, 0.25), np.array([0, 0, 1, 2, 2, 2]), 1, 100) == (0.25, 0.25)
