"""Numbers as digits and as words, in English, Vietnamese and Russian."""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache

_NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90, "hundred": 100, "thousand": 1000,
    "mot": 1, "hai": 2, "ba": 3, "bon": 4, "nam": 5, "lam": 5, "sau": 6, "bay": 7, "tam": 8, "chin": 9, "muoi": 10,
    "tram": 100, "nghin": 1000, "ngan": 1000,
    "два": 2, "две": 2, "три": 3, "четыре": 4, "пять": 5, "шесть": 6, "семь": 7, "восемь": 8, "девять": 9, "десять": 10,
    "одиннадцать": 11, "двенадцать": 12, "тринадцать": 13, "четырнадцать": 14, "пятнадцать": 15, "шестнадцать": 16,
    "семнадцать": 17, "восемнадцать": 18, "девятнадцать": 19, "двадцать": 20, "тридцать": 30, "сорок": 40,
    "пятьдесят": 50, "шестьдесят": 60, "семьдесят": 70, "восемьдесят": 80, "девяносто": 90, "сто": 100, "сотня": 100,
    "сотню": 100, "полтораста": 150, "двести": 200, "триста": 300, "четыреста": 400, "пятьсот": 500, "шестьсот": 600,
    "семьсот": 700, "восемьсот": 800, "девятьсот": 900, "тысяча": 1000, "тысячу": 1000, "тысячи": 1000, "тысяч": 1000,
    "двух": 2, "трех": 3, "четырех": 4, "пяти": 5, "шести": 6, "семи": 7, "восьми": 8, "девяти": 9, "десяти": 10,
    "одиннадцати": 11, "двенадцати": 12, "тринадцати": 13, "четырнадцати": 14, "пятнадцати": 15, "шестнадцати": 16,
    "семнадцати": 17, "восемнадцати": 18, "двадцати": 20, "тридцати": 30, "сорока": 40, "пятидесяти": 50,
    "шестидесяти": 60, "семидесяти": 70, "восьмидесяти": 80, "девяноста": 90, "ста": 100, "двухсот": 200,
    "трехсот": 300, "четырехсот": 400, "пятисот": 500, "шестисот": 600, "семисот": 700, "восьмисот": 800,
}  # fmt: skip
_HALF = "ruoi"  # "hai trăm rưỡi": 250
NUMBER_WORD = "|".join(sorted((*_NUMBERS, _HALF), key=lambda word: -len(word)))
NUMBER = rf"(?:\d{{1,4}}|(?:{NUMBER_WORD})(?: (?:and )?(?:{NUMBER_WORD}))*)"
N = rf"(?P<n>{NUMBER})"
# Years of a reader: as many digits as these have.
YEARS = rf"(?:\d{{1,2}}|(?:{NUMBER_WORD})(?: (?:{NUMBER_WORD}))*)"


def numbers(said: str) -> list[int]:
    """The numbers that digits or words say, in order: "two hundred and fifty" is one, "hai ba" are two."""
    found: list[int] = []
    last, scale = 0, 1  # of the word before: what it counts, and whether smaller ones may follow it
    for word in said.split():
        value = int(word) if word.isdigit() else scale // 2 if word == _HALF else _NUMBERS.get(word, 0)
        if not value:
            continue
        if word in _TIMES and 0 < last < value:
            found[-1] += last * (value - 1)
            last, scale = last * value, value
            continue
        if value < scale:
            found[-1] += value
        else:
            found.append(value)
        last = value
        scale = 1 if word.isdigit() else next((n for n in (1000, 100) if value >= n), 10 if value % 10 == 0 else 1)
    return found


_TIMES = frozenset(["hundred", "thousand", "muoi", "tram", "nghin", "ngan", "тысяча", "тысячи", "тысяч"])


@cache
def other_ways() -> Mapping[str, frozenset[str]]:
    """Words and digits for the same number, by each of them."""
    ways: defaultdict[int, set[str]] = defaultdict(set)
    for word, number in _NUMBERS.items():
        ways[number] |= {word, str(number)}
    digits = {str(number): frozenset(said) for number, said in ways.items()}
    return digits | {word: frozenset([str(number)]) for word, number in _NUMBERS.items()}


def last_number(said: str) -> int:
    return next(iter(numbers(said)[-1:]), 0)
