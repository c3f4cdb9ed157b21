"""What an experiment says so far, and whether it may say anything: the health check comes before any winner. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binomtest, chisquare

from openshelf.database.experiments import ArmFigures, ArmRow

# Below it, readers were not dealt as planned (Fabijan et al. 2019, "Diagnosing sample ratio mismatch").
SAMPLE_RATIO_ALPHA = 0.001
# A share of places filled by another model than the arm's own, from which the arm is no longer what it is named for.
MAX_FALLBACK_SHARE = 0.2


@dataclass(frozen=True)
class ArmReport:
    """`open_rate`: places opened or better among those that were shown, with its 95 % Wilson interval."""

    arm: str
    version: str
    count_readers: int
    expected_readers: float
    count_slates: int
    count_shown: int
    count_opened: int
    open_rate: float | None
    open_rate_low: float | None
    open_rate_high: float | None
    fallback_share: float | None


@dataclass(frozen=True)
class ExperimentReport:
    """`sample_ratio_p`: how likely readers fall so far from the planned shares by chance; None without readers."""

    name: str
    arms: list[ArmReport]
    sample_ratio_p: float | None
    count_crossed: int
    faults: list[str]

    @property
    def is_healthy(self) -> bool:
        return not self.faults


def report_of(name: str, arms: Sequence[ArmRow], figures: Sequence[ArmFigures]) -> ExperimentReport:
    """Both by arm, in the same order."""
    counts = [each.count_readers for each in figures]
    shares = [arm.share / sum(a.share for a in arms) for arm in arms]
    expected = [share * sum(counts) for share in shares]
    p = float(chisquare(counts, expected).pvalue) if sum(counts) and len(arms) > 1 else None
    rows = [_arm(arm, each, among) for arm, each, among in zip(arms, figures, expected, strict=True)]
    crossed = sum(each.count_crossed for each in figures)
    return ExperimentReport(name, rows, p, crossed, _faults(rows, p, crossed))


def _arm(arm: ArmRow, found: ArmFigures, expected: float) -> ArmReport:
    rate = low = high = None
    if found.count_shown:
        rate = found.count_opened / found.count_shown
        low, high = binomtest(found.count_opened, found.count_shown).proportion_ci(method="wilson")
    return ArmReport(
        arm=arm.arm,
        version=arm.version,
        count_readers=found.count_readers,
        expected_readers=round(expected, 1),
        count_slates=found.count_slates,
        count_shown=found.count_shown,
        count_opened=found.count_opened,
        open_rate=rate,
        open_rate_low=None if low is None else float(low),
        open_rate_high=None if high is None else float(high),
        fallback_share=found.count_fallback / found.count_places if found.count_places else None,
    )


def _faults(arms: Sequence[ArmReport], sample_ratio_p: float | None, count_crossed: int) -> list[str]:
    faults = []
    if sample_ratio_p is not None and sample_ratio_p < SAMPLE_RATIO_ALPHA:
        split = ", ".join(f"{arm.arm} {arm.count_readers} (planned {arm.expected_readers})" for arm in arms)
        faults.append(f"readers are not dealt as planned (p {sample_ratio_p:.2g}): {split}")
    if count_crossed:
        faults.append(f"{count_crossed} readers have slates of two arms")
    faults += [
        f"arm {arm.arm}: {arm.fallback_share:.0%} of its places were not filled by {arm.version}"
        for arm in arms
        if arm.fallback_share is not None and arm.fallback_share > MAX_FALLBACK_SHARE
    ]
    return faults
