"""Passwords: which are good enough, how they are kept (argon2id), and whether one is right. Pure."""

import secrets
import unicodedata
from enum import StrEnum
from functools import cache
from itertools import pairwise

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH = 10
# Longer ones are not safer, and hashing them costs.
MAX_LENGTH = 200
_MIN_DIFFERENT = 5

_hasher = PasswordHasher()

# What people take first when ten characters are asked for: written down as folded, without the digits around it.
_COMMON = {
    "password", "passwort", "passw0rd", "p@ssword", "p@ssw0rd", "mypassword", "thepassword", "newpassword",
    "passwordpassword", "matkhau", "matkhaucuatoi", "parol", "moyparol", "пароль", "мойпароль", "qwerty",
    "qwertyuiop", "qwertyqwerty", "qwertzuiop", "qwertzuiopasdf", "azertyuiop", "asdfghjkl", "asdfasdf", "zxcvbnm",
    "qwertyasdfgh", "qazwsxedc", "qazwsx", "йцукен", "йцукенгшщз", "abcdefghij", "abcdefghijk", "abcdefgh", "abcabcabc",
    "iloveyou", "iloveyouso", "iloveyoutoo", "ilovebooks", "ilovereading", "ilovemylibrary", "anhyeuem", "emyeuanh",
    "letmein", "letmeinnow", "letmeinplease", "welcome", "welcomeback", "welcomehome", "administrator", "admin",
    "adminadmin", "library", "mylibrary", "librarian", "openshelf", "openshelfopenshelf", "changeme", "changemenow",
    "secret", "secretsecret", "topsecret", "trustno", "dragon", "monkey", "football", "baseball", "superman", "batman",
    "starwars", "sunshine", "princess", "whatever", "computer", "internet", "correcthorsebatterystaple", "test",
    "testtesttest", "testpassword", "guest", "bookworm", "bookworms", "harrypotter", "lordoftherings", "hogwarts",
    "vietnam", "saigon", "hanoi", "moscow", "russia", "london", "america", "summer", "winter", "spring", "autumn",
}  # fmt: skip


class Weakness(StrEnum):
    """Why a password is not good enough, as one is told."""

    SHORT = "The password needs at least 10 characters."
    LONG = "The password has more than 200 characters; a shorter one is safe enough."
    NAME = "The password must not be your user name or hold it."
    COMMON = "Too many people use this password. Try a few words that belong together only for you."
    REPEATED = "The password repeats too few characters or counts through the keys. Try a few words."


def weakness(password: str, username: str) -> Weakness | None:
    """What is wrong with a new password; None: nothing."""
    if len(password) < MIN_LENGTH:
        return Weakness.SHORT
    if len(password) > MAX_LENGTH:
        return Weakness.LONG
    folded = _normal(password).casefold()
    name = _normal(username).casefold()
    # A name of one or two letters stands in half of all words.
    if folded in (name, name[::-1]) or (len(name) > 3 and name in folded):
        return Weakness.NAME
    if len(set(folded)) < _MIN_DIFFERENT or _counts_through(folded):
        return Weakness.REPEATED
    core = folded.strip("0123456789!?.,*#@$%&_- ")
    if core in _COMMON or core.replace(" ", "") in _COMMON or folded in _COMMON:
        return Weakness.COMMON
    return None


def _counts_through(text: str) -> bool:
    steps = {(ord(after) - ord(before)) for before, after in pairwise(text)}
    return steps <= {1, -9} or steps <= {-1, 9}


def hashed(password: str) -> str:
    return _hasher.hash(_normal(password))


def is_right(password: str, kept: str | None) -> bool:
    """Whether the password is the kept one. Without a kept one (an unknown name) it takes as long, and is not."""
    if len(password) > MAX_LENGTH:  # nobody's
        password, kept = password[:MAX_LENGTH], None
    try:
        return _hasher.verify(kept or _of_nobody(), _normal(password)) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def is_outdated(kept: str) -> bool:
    """Whether a right password should be hashed again, because the parameters have changed since."""
    return _hasher.check_needs_rehash(kept)


@cache
def _of_nobody() -> str:
    return _hasher.hash(secrets.token_urlsafe(32))


def _normal(text: str) -> str:
    """One form for what keyboards write in several: accents of Vietnamese above all."""
    return unicodedata.normalize("NFC", text)
