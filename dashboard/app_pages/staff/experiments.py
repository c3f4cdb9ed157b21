"""Which is better? What an experiment says so far, and first whether it may say anything."""

from collections.abc import Sequence
from itertools import groupby

import streamlit as st

from dashboard import language
from dashboard.components import finding, graphs, staff
from dashboard.components.graphs import Point
from dashboard.components.staff import Column, Page
from dashboard.language import _
from openshelf.database import analytics
from openshelf.database.analytics import ExperimentArm


def draw(page: Page) -> None:
    experiments = {
        name: list(arms)
        for name, arms in groupby(analytics.experiment_arms(page.marts), lambda arm: arm.experiment_name)
    }
    if not experiments:
        staff.head(page, _("No experiment has been started yet."))
        staff.quiet(
            _("`openshelf experiments start NAME --arm old=champion --arm new=VERSION` deals readers to two models.")
        )
        return
    newest = next(iter(experiments))
    name = staff.chosen("experiment", list(experiments), newest)
    arms = experiments[name]
    others = [(each, each) for each in experiments if each != newest]
    field = finding.select("experiment", _("Experiment"), newest, others, "" if name == newest else name)
    staff.head(page, answer(arms), [field] if others else [])
    health(arms)
    if any(arm.is_suppressed for arm in arms):
        staff.quiet(
            _("An arm has fewer than {count} readers: its figures are not shown.").format(count=staff.MIN_READERS)
        )
        return
    differences(arms)
    rates(arms)
    guardrails(arms)
    methods()


def answer(arms: Sequence[ExperimentArm]) -> str:
    """The verdict in words: whether it may say anything comes before any winner."""
    control = next(arm for arm in arms if arm.is_control)
    if control.verdict == "unhealthy":
        return _("Nothing can be said: the experiment {name} is not sound.").format(name=control.experiment_name)
    said = [verdict(arm, control) for arm in arms if not arm.is_control]
    state = _("It has ended.") if control.stopped_at else _("It goes on.")
    return " ".join([*said, state])


def verdict(arm: ExperimentArm, control: ExperimentArm) -> str:
    words = {
        "better": _("{arm} is better than {control}: {lift} more of what it shows is opened."),
        "worse": _("{arm} is worse than {control}: {lift} less of what it shows is opened."),
        "harms": _("{arm} does harm: readers decline or skip more of what it shows than of what {control} shows."),
        "open": _("Between {arm} and {control} nothing is decided yet."),
        "too few": _("{arm} and {control} have too few readers to say anything."),
    }
    return words[arm.verdict].format(arm=arm.arm, control=control.arm, lift=_points(abs(arm.lift or 0)))


def health(arms: Sequence[ExperimentArm]) -> None:
    staff.section(_("Is it sound?"))
    control = arms[0]
    readers = ", ".join(
        _("{arm}: {count} of {planned} planned").format(
            arm=arm.arm,
            count=language.number(arm.count_readers),
            planned=language.number(round(arm.expected_readers or 0)),
        )
        for arm in arms
        if arm.count_readers is not None
    )
    chance = _p(control.sample_ratio_p)
    dealt = (
        _("No: readers are not dealt as planned. So far from it they fall by chance once in {times} times. {readers}.")
        if control.is_ratio_off
        else _("Readers are dealt as planned (p {chance}). {readers}.")
    )
    staff.tiles(
        [
            (
                _("Readers dealt"),
                _("not as planned") if control.is_ratio_off else _("as planned"),
                _("p {chance}").format(chance=chance),
            ),
            (_("Readers in two arms"), language.number(control.count_crossed), _("there must be none")),
            (
                _("Arms filled by their own model"),
                _("no") if control.has_fallback_arm else _("yes"),
                _("at least {share} of their places").format(share=language.percent(0.8)),
            ),
        ]
    )
    if readers:
        times = language.number(round(1 / control.sample_ratio_p)) if control.sample_ratio_p else _("a million")
        staff.quiet(dealt.format(chance=chance, readers=readers, times=times))
    if control.note:
        st.text(_("What it is to find out: {note}").format(note=control.note))


def differences(arms: Sequence[ExperimentArm]) -> None:
    compared = [arm for arm in arms if not arm.is_control and arm.lift is not None]
    if not compared:
        return
    control = arms[0]
    staff.section(
        _("Difference of the click rate from {control}").format(control=control.arm),
        _("The interval holds however often one looks: when it leaves zero, the experiment may be stopped."),
    )
    words = " ".join(
        _("{arm}: {lift} ({low} to {high}). With as many readers a difference of {smallest} is found.").format(
            arm=arm.arm,
            lift=_points(arm.lift or 0),
            low=_points(arm.lift_low or 0),
            high=_points(arm.lift_high or 0),
            smallest=_points(arm.smallest_findable_lift or 0),
        )
        for arm in compared
    )
    points = [Point(0, arm.arm, arm.lift or 0, arm.lift_low, arm.lift_high) for arm in compared]
    chart = graphs.intervals(points, _("Difference of the click rate"), words, is_share=True, at=0)
    columns = [
        Column("arm", _("Arm")),
        Column("lift", _("Difference"), _points),
        Column("lift_low", _("From"), _points),
        Column("lift_high", _("To"), _points),
        Column("smallest_findable_lift", _("Smallest that is found"), _points),
    ]
    staff.figure("differences", chart, words, compared, columns)


def rates(arms: Sequence[ExperimentArm]) -> None:
    staff.section(_("Click rate of each arm"), _("95 % intervals, with the reader as the unit."))
    shown = [arm for arm in arms if arm.click_rate is not None]
    points = [
        Point(0, arm.arm, arm.click_rate or 0, arm.click_rate_low, arm.click_rate_high,
              staff.on_basis(arm.count_shown, arm.count_readers))
        for arm in shown
    ]  # fmt: skip
    words = " ".join(
        _("{arm}: {rate}, on {basis}.").format(
            arm=arm.arm,
            rate=staff.with_interval(arm.click_rate, arm.click_rate_low, arm.click_rate_high),
            basis=staff.on_basis(arm.count_shown, arm.count_readers),
        )
        for arm in shown
    )
    chart = graphs.intervals(points, _("Click rate"), words, is_share=True) if points else None
    columns = [
        Column("arm", _("Arm")),
        Column("policy_version", _("Model")),
        Column("count_readers", _("Readers")),
        Column("expected_readers", _("Planned")),
        Column("count_shown", _("Places shown")),
        Column("count_opened", _("Opened")),
        Column("click_rate", _("Click rate"), language.percent, ""),
        Column("click_rate_low", _("From"), language.percent, ""),
        Column("click_rate_high", _("To"), language.percent, ""),
    ]
    staff.figure("arms", chart, words or _("Nothing was on screen yet."), arms, columns)


def guardrails(arms: Sequence[ExperimentArm]) -> None:
    harmful = [arm.arm for arm in arms if arm.does_harm]
    words = (
        _("More is declined or skipped in {arms} than in {control}.").format(
            arms=", ".join(harmful), control=arms[0].arm
        )
        if harmful
        else _("No arm is declined or skipped more than {control}, beyond chance.").format(control=arms[0].arm)
    )
    staff.section(_("What must not get worse"))
    columns = [
        Column("arm", _("Arm")),
        Column("read_rate", _("Read rate"), language.percent, ""),
        Column("skip_rate", _("Skip rate"), language.percent, ""),
        Column("decline_rate", _("Decline rate"), language.percent, ""),
        Column("fallback_share", _("Fallback share"), language.percent, ""),
    ]
    staff.figure("guardrails", None, words, arms, columns)


def methods() -> None:
    with st.expander(_("How this is reckoned")):
        for text in (
            _("Each reader is one observation: who is shown a hundred books tells no more of the readers than who is "
              "shown ten (delta method)."),
            _("An experiment is not sound when readers are dealt otherwise than planned (chi-squared test, p below "
              "0.001), when a reader has slates of two arms, or when more than a fifth of an arm's places come "
              "from another model. Then no rate of it means anything, and none is called better."),
            _("The interval of the difference is an asymptotic confidence sequence: it holds at every moment at once, "
              "so that looking early and often does no harm. It is wider than an interval for one look."),
            _("The differences of one experiment hold together in 95 of 100: the more arms, the wider each interval "
              "(Bonferroni; with two arms beside the control each holds at 97.5 %)."),
            _("The smallest difference that is found is what a single test of 5 % would find four times out of five "
              "with as many readers."),
        ):  # fmt: skip
            staff.quiet(text)


def _points(share: float) -> str:
    """A difference of two shares."""
    return _("{number} percentage points").format(number=language.number(round(100 * share, 2)))


def _p(p: float | None) -> str:
    if p is None:
        return "-"
    return _("below {least}").format(least=language.number(0.001)) if p < 0.001 else language.number(round(p, 3))


staff.page("experiments", draw)
