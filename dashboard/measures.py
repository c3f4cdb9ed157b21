"""The words of what the warehouse counts, in the language of the page."""

from dashboard import language
from dashboard.language import _
from dashboard.words import N_, subject_name

# As dbt/seeds/metrics.csv has them; a test compares the two.
METRICS = {
    "click_rate": (
        N_("Click rate"),
        N_("Of the places that were on screen, the share whose book was opened, read or finished within an hour of the "
           "recommendation."),
    ),
    "read_rate": (
        N_("Read rate"),
        N_("Of the places that were on screen, the share whose book was read or finished within an hour of the "
           "recommendation."),
    ),
    "decline_rate": (
        N_("Decline rate"),
        N_("Of the places that were on screen, the share whose strongest answer was to hide or to dislike the book."),
    ),
    "skip_rate": (
        N_("Skip rate"),
        N_("Of the places that were on screen, the share to which the reader said not now."),
    ),
    "fallback_share": (
        N_("Fallback share"),
        N_("Of all places drawn, on screen or not, the share filled by popularity or chance because the policy could "
           "not answer."),
    ),
    "reward_per_place": (
        N_("Reward of a place"),
        N_("What a place on screen earned on average, by the rewards of models/rewards.toml; inferred skips count."),
    ),
    "organic_share": (
        N_("Organic share"),
        N_("Of what readers who keep a history answered, the share that belongs to no place shown to them within an "
           "hour: they came to the book by search, by browsing, by a list or by a row that staff chose."),
    ),
}  # fmt: skip


def definition() -> dict[str, tuple[str, str]]:
    """metric -> its name and what it means."""
    return {metric: (_(name), _(text)) for metric, (name, text) in METRICS.items()}


def dimensions() -> dict[str, str]:
    """By what the places can be looked at."""
    return {
        "all": _("Everything"),
        "model": _("Model"),
        "arm": _("Arm"),
        "surface": _("Surface"),
        "position": _("Place"),
        "language": _("Language"),
        "subject": _("Subject"),
    }


def part(dimension: str, value: str) -> str:
    """A value of a dimension, as it is shown."""
    if dimension == "surface":
        return surfaces().get(value, value)
    if dimension == "language":
        return _("No language given") if value == "unknown" else language.language_name(value)
    if dimension == "subject":
        return _("No subject given") if value == "none" else subject_name(value)
    if dimension == "position":
        return _("Place {number}").format(number=value)
    return value


def surfaces() -> dict[str, str]:
    return {
        "for_you": _("For you"),
        "similar": _("Similar books"),
        "search": _("Search"),
        "chat": _("Librarian"),
        "browse": _("Browse"),
        "popular": _("Popular"),
        "new": _("New books"),
        "series": _("Series"),
        "author": _("By the author"),
        "api": _("Other programs"),
    }


def actions() -> dict[str, str]:
    return {
        "visit": _("Visited"),
        "show": _("Shown"),
        "open": _("Opened"),
        "read": _("Read"),
        "finish": _("Finished"),
        "like": _("Liked"),
        "dislike": _("Disliked"),
        "want": _("Wanted"),
        "rate": _("Rated"),
        "skip": _("Skipped"),
        "hide": _("Hidden"),
        "unhide": _("Unhidden"),
        "search": _("Searched"),
        "reset": _("Reset"),
    }


def outcomes() -> dict[str, str]:
    return actions() | {"no answer": _("No answer"), "fewer than 5 readers": _("Answers of fewer than 5 readers")}


def traffic() -> dict[str, str]:
    return {"reader": _("Readers"), "staff": _("Staff"), "test": _("Tests"), "bot": _("Programs")}
