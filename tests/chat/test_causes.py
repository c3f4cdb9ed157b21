"""What patrons say around a wish is read for what it is: known books, ages, lengths, years, who wrote it. By cause."""

from datetime import date

import pytest

from dashboard.chat.parse import parse
from dashboard.chat.reading.wish import ALL, ANY_LANGUAGE, Mention, Wish

TODAY = date(2026, 5, 1)
DUNE = Mention("dune", 1, is_sure=True)
EMMA_VI = Mention("khong gia dinh", 2, is_sure=True)
SOLARIS = Mention("солярис", 3, is_sure=True)


@pytest.mark.parametrize(
    ("text", "mention", "like", "had"),
    [
        # liked, and told without saying so
        ("my sister won't stop talking about Dune, feed her something", DUNE, (1,), ()),
        ("«Солярис» у мужа на тумбочке третий год, чем подменить", SOLARIS, (3,), ()),
        ("đọc Không gia đình mà khóc sưng cả mắt, cuốn nào thấm vậy", EMMA_VI, (2,), ()),
        ("Dune but at sea", DUNE, (1,), ()),
        # read again and again, or for nothing that would be as good
        ("Dune five times since June. he is eleven. help", DUNE, (1,), ()),
        ("have you anything to match Dune", DUNE, (1,), ()),
        ("is there a companion to Dune, my uncle wept over it", DUNE, (1,), ()),
        ("ищу книгу не хуже «Солярис»", SOLARIS, (3,), ()),
        ("bé nghe Không gia đình mười lần rồi, mẹ bí quá", EMMA_VI, (2,), ()),
        ("tìm giúp ông quyển khác ngang tầm Không gia đình", EMMA_VI, (2,), ()),
        # asked for itself
        ("Dune, but in Russian", DUNE, (), ()),
        ("have you got Dune for my sister's birthday party?", DUNE, (), ()),
        ("есть ли «Солярис» в хорошем издании?", SOLARIS, (), ()),
        ("tìm cuốn Không gia đình bản đẹp làm quà cho mẹ", EMMA_VI, (), ()),
        ("my book club meets on Thursday and has picked Dune this time", DUNE, (), ()),
        ("I saw the film last night with my brother, Dune I mean", DUNE, (), ()),
        ("нам в школе задали «Солярис», а дома такой книги нет", SOLARIS, (), ()),
        ("cô giáo giao đọc Không gia đình mà nhà mình không ai có", EMMA_VI, (), ()),
        ("do you have another copy of Dune, ours fell apart", DUNE, (), ()),
        ("I'd like to read Dune in the original", DUNE, (), ()),
        ("so many friends have been on about it, but I never read Dune", DUNE, (), ()),
        ("сколько страниц в «Солярис»", SOLARIS, (), ()),
        ("em chưa đọc Không gia đình, cho em mượn với ạ", EMMA_VI, (), ()),
        # what a book is to be about
        ("a novel about the desert planet Dune", DUNE, (), ()),
        ("роман про далёкую живую планету Солярис", SOLARIS, (), ()),
        # not wanted
        ("desert planets, but not Dune", DUNE, (), (1,)),
        ("космос, только не «Солярис»", SOLARIS, (), (3,)),
        ("chuyện mồ côi, trừ Không gia đình", EMMA_VI, (), (2,)),
    ],
)
def test_a_work_that_is_named_is_asked_for_liked_or_not_wanted(
    text: str, mention: Mention, like: tuple[int, ...], had: tuple[int, ...]
) -> None:
    wish = parse(text, mentions=[mention])

    assert (wish.like, wish.had) == (like, had)


@pytest.mark.parametrize(
    ("text", "author"),
    [
        ("done all the Austens, more balls and manners", "austens"),
        ("Wodehouse, I've read them all. another butler", "wodehouse"),
        ("Донцову всю прочитала, ещё детективов", "донцову"),
        ("đọc hết Nam Cao rồi, còn truyện làng quê nào", "nam cao"),
    ],
)
def test_whose_books_were_all_read_is_left_out(text: str, author: str) -> None:
    wish = parse(text)

    assert wish.avoid_author == author
    assert wish.subjects or wish.themes


@pytest.mark.parametrize(
    ("text", "author"),
    [
        ("a sea story, I can't stand Conrad", "conrad"),
        ("детектив, терпеть не могу Донцову", "донцову"),
        ("truyện học trò, không phải Nguyễn Nhật Ánh", "nguyen nhat anh"),
    ],
)
def test_whom_somebody_does_not_like_is_left_out(text: str, author: str) -> None:
    wish = parse(text)

    assert (wish.avoid_author, wish.titled) == (author, "")


@pytest.mark.parametrize(
    ("text", "titled"),
    [
        ("Wodehouse but darker", "wodehouse"),
        ("a whodunnit, Agatha Christie style", "agatha christie"),
        ("как Довлатов, только про деревню", "довлатов"),
        ("kiểu Nguyễn Nhật Ánh nhưng cho người lớn", "nguyen nhat anh"),
        ("crime, but no gore", ""),
        ("kiểu Nhật Bản", ""),
    ],
)
def test_in_whose_manner_books_shall_be_is_told_by_the_place_of_a_name(text: str, titled: str) -> None:
    assert parse(text).titled == titled


@pytest.mark.parametrize("text", ["I've read everything by Wodehouse", "my uncle only ever reads Wodehouse"])
def test_who_asks_for_nothing_else_would_have_the_like_of_whom_was_read(text: str) -> None:
    assert parse(text).titled == "wodehouse"


def test_a_language_in_which_somebody_only_reads_is_nobody_to_be_left_out() -> None:
    assert parse("she only reads French, something with a happy end").avoid_author == ""


@pytest.mark.parametrize(
    ("text", "titled"),
    [
        ("who writes like Wodehouse?", "wodehouse"),
        ("the diary of a pirate? or something like that", ""),
        ("it is like that at home, too", ""),
    ],
)
def test_what_something_is_like_is_a_name_and_no_pronoun(text: str, titled: str) -> None:
    assert parse(text).titled == titled


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("wee lass, 5, ponies", 5),
        ("for my godson, 16, who likes chess", 16),
        ("мальчишке 9, про роботов", 9),
        ("внучка, 6, любит зайцев", 6),
        ("cu Bin nhà em 7, thích xe", 7),
        ("nhóc 12 tuổi mê bóng đá", 12),
        ("my brother, 44, likes trains", 44),
        ("a fourth grader with a taste for slime", 10),
        ("the grandkids (4 and 8), pirates", 6),
        ("ребёнку лет шести", 6),
        ("one page before the baby wakes up", None),
        ("что-нибудь, пока малыш спит", None),
    ],
)
def test_an_age_is_read_after_whoever_is_so_old(text: str, age: int | None) -> None:
    assert parse(text).age == age


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("a western of 150 to 250 pages", 150, 250),
        ("between one hundred and two hundred pages", 100, 200),
        ("страниц на триста-четыреста", 300, 400),
        ("от 100 до 150 страниц", 100, 150),
        ("cỡ 300 tới 400 trang", 300, 400),
        ("hai ba trăm trang", 200, 300),
        ("around 400 pages", 280, 440),
        ("neither too long nor too short", 200, 500),
        ("under 180 pages", None, 180),
        ("two hundred and fifty pages at most", None, 250),
    ],
)
def test_pages_have_two_bounds(text: str, least: int | None, most: int | None) -> None:
    wish = parse(text)

    assert (wish.min_pages, wish.max_pages) == (least, most)


@pytest.mark.parametrize(
    ("text", "length"),
    [("your slimmest thriller", "short"), ("самый толстый роман", "long"), ("cuốn dày nhất", "long")],
)
def test_the_shortest_and_the_longest_are_extremes(text: str, length: str) -> None:
    wish = parse(text)

    assert (wish.length, wish.is_extreme) == (length, True)


@pytest.mark.parametrize("text", ["something to finish in an hour", "повесть на пару вечеров", "đọc trong hai tiếng"])
def test_what_is_soon_read_is_short(text: str) -> None:
    assert parse(text).length == "short"


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("Berlin in the twenties, cabarets and hunger in Germany", 1920, None),
        ("Китай, шестидесятые", 1960, None),
        ("science fiction from the fifties", 1950, 1959),
        ("детективы семидесятых", 1970, 1979),
        ("thơ thập niên 60", 1960, 1969),
    ],
)
def test_a_decade_is_what_it_is_about_or_when_it_was_written(text: str, first: int, last: int | None) -> None:
    wish = parse(text, today=TODAY)

    assert (wish.year_from, wish.year_to) == (first, last)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a thriller, the author should be a woman", {"by_women": True}),
        ("a novel by an Irish woman", {"by_women": True, "themes": ("Ireland",)}),
        ("nothing by men, horror", {"by_women": True}),
        ("truyện viết trước 1960", {"is_native": False, "year_to": 1959}),
        ("in Russian or English, either will do, chess", {"also_in": "rus", "written_in": None}),
        ("фантастика, чтобы женщина писала", {"by_women": True}),
        ("thơ, tác giả nữ người Việt", {"by_women": True, "is_native": True, "author": ""}),
        ("truyện ma không phải dịch", {"is_native": True}),
        ("рассказы, не переводные", {"is_native": True, "is_translated": False}),
        ("иностранный детектив", {"is_translated": True, "subjects": ("mystery",)}),
        ("учебник иностранного языка", {"is_translated": False, "subjects": ("language",)}),
        ("sách tiếng Anh cũng được, về cá voi", {"also_in": "eng", "written_in": None}),
        ("про китов, можно и на английском", {"also_in": "eng", "written_in": None}),
        ("книги про китов, не обязательно на русском", {"also_in": ANY_LANGUAGE, "written_in": None}),
        ("sách nói về cá voi", {"format": None}),
        ("sách nói", {"format": "MP3"}),
        ("химия, но не учебник", {"teaches": False}),
        ("учебник химии", {"teaches": True}),
    ],
)
def test_who_wrote_it_and_in_what_language(text: str, wanted: dict[str, object]) -> None:
    wish = parse(text)

    assert {name: getattr(wish, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("text", "avoid"),
    [
        ("a thriller, romance is not my thing", ("romance",)),
        ("комедия, а любовь не надо", ("romance",)),
        ("truyện vui, chiến tranh ngán lắm rồi", ("war",)),
    ],
)
def test_what_is_dismissed_after_it_was_named_is_avoided(text: str, avoid: tuple[str, ...]) -> None:
    wish = parse(text)

    assert wish.avoid == avoid
    assert wish.subjects == ("thriller",) or wish.subjects == ("humour",)


@pytest.mark.parametrize(
    ("text", "refers"),
    [
        ("read all three, anything like them?", ALL),
        ("обе зачитаны, дайте такое же", ALL),
        ("đọc cả ba rồi, còn cuốn nào giống vậy", ALL),
        ("I've read them both, others please", None),
    ],
)
def test_all_that_were_named_may_be_known_already(text: str, refers: int | None) -> None:
    wish = parse(text, Wish("spy novels", "en", subjects=("thriller",)))

    assert (wish.refers, wish.is_more) == (refers, True)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        # what is said of the books that were named is what is not wanted
        ("they're all doorstoppers! one for the beach?", {"length": "short"}),
        ("these are so gloomy", {"moods": ("light",), "length": None}),
        ("these all sound ancient", {"year_from": 1980}),
        ("anything from this century?", {"year_from": 2000}),
        # it narrows, and keeps what was asked before
        ("they're for my nephew, he's eight and rather picky about books", {"subjects": ("travel",), "age": 8}),
        ("có cuốn nào do phụ nữ viết về chuyến đi của chính mình không", {"subjects": ("travel",), "by_women": True}),
        ("còn tập nào buồn hơn không", {"subjects": ("travel",), "moods": ("sad",)}),
        ("no, I meant by somebody Indian", {"author": ""}),
        ("and true ones?", {"subjects": ("travel",), "is_true": True}),
        ("а весёлые есть?", {"subjects": ("travel", "humour")}),
        ("слишком длинные", {"length": "short"}),
        ("none of those. something about whales", {"subjects": (), "themes": ("whales",), "chooses": False}),
        # which of them it speaks of
        ("is the second one hard to follow for a beginner?", {"asks": "why", "refers": 1}),
        ("cuốn thứ hai có dài quá không?", {"asks": "why", "refers": 1}),
        ("а третья не слишком грустная?", {"asks": "why", "refers": 2}),
        ("the first one's about what, then", {"asks": "why", "refers": 0}),
        ("cuốn đầu hay quá, bà này còn viết gì nữa không", {"is_same_author": True, "refers": 0}),
        ("the second one, do you have that in Russian?", {"refers": 1, "written_in": "rus"}),
        ("anything like the second one?", {"asks": "books", "refers": 1}),
    ],
)
def test_a_follow_up_speaks_of_what_was_named(text: str, wanted: dict[str, object]) -> None:
    wish = parse(text, Wish("travel books", "en", subjects=("travel",)), TODAY)

    assert {name: getattr(wish, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    ("text", "themes", "moods"),
    [
        # forms of words that say nothing
        ("хочу понять море, пока оно тихое", ("the sea",), ("gentle",)),
        ("как оно было на море", ("the sea",), ()),
        ("my friend needs a plan: a novel about whales", ("whales",), ()),
        # unless a book is to be about them
        ("a novel about a friend", ("friendship",), ()),
        ("роман про пони", ("horses",), ()),
        # other words of as few letters
        ("что брать про китов", ("whales",), ()),
        ("местами смешное про китов", ("whales",), ()),
        ("про месть и братьев", ("revenge", "brothers and sisters"), ()),
    ],
)
def test_a_word_names_nothing_that_only_looks_like_it(
    text: str, themes: tuple[str, ...], moods: tuple[str, ...]
) -> None:
    wish = parse(text)

    assert (wish.themes, wish.moods) == (themes, moods)


@pytest.mark.parametrize(
    ("text", "passing"),
    [
        ("it is summer, mum is here: something about dragons", ("mothers", "seasons")),
        ("mùa hè rảnh quá, tìm truyện về rồng", ("seasons",)),
        ("зимой, после работы: что-нибудь про драконов", ("work",)),
        # asked for, or all that is asked for
        ("dragons, and about a mother", ()),
        ("train stories with dragons", ()),
        ("something with trains", ()),
        ("роман про школу и драконов", ()),
    ],
)
def test_what_may_tell_of_who_asks_is_the_topic_where_nothing_else_is(text: str, passing: tuple[str, ...]) -> None:
    wish = parse(text)

    assert wish.passing == passing
    assert set(passing) <= {*wish.subjects, *wish.themes, *wish.moods}


@pytest.mark.parametrize(
    ("text", "avoid", "themes"),
    [
        ("so done with ghosts, whales please", ("ghosts",), ("whales",)),
        ("whales, and spare me the dragons", ("dragons",), ("whales",)),
        ("whales without a whiff of war", ("war",), ("whales",)),
        ("a whale story where nobody is allowed to die", ("death",), ("whales",)),
        ("truyện về cá voi, không cần chiến tranh", ("war",), ("whales",)),
        ("про китов, драконы мне не нужны", ("dragons",), ("whales",)),
        ("про китов, сыт по горло драконами", ("dragons",), ("whales",)),
        # said of what comes next
        ("про китов, не люблю драконов", ("dragons",), ("whales",)),
    ],
)
def test_there_are_many_ways_to_say_no(text: str, avoid: tuple[str, ...], themes: tuple[str, ...]) -> None:
    wish = parse(text)

    assert (wish.avoid, wish.themes) == (avoid, themes)


@pytest.mark.parametrize(
    ("text", "age", "audience"),
    [
        ("дед прожил десять лет на севере, хочу про север", None, None),
        ("он умер пять лет назад, он любил море", None, None),
        ("мальчику десять лет", 10, "children"),
        ("two weeks at sea, 11 yrs of it", None, None),
        ("for my nephew, 9 yrs", 9, "children"),
        ("my niece's just turning six, whales", 6, "children"),
        ("whales, but not for little kids", None, "adult"),
        ("про китов, не детское", None, "adult"),
        ("whale stories, grown-up ones", None, "adult"),
    ],
)
def test_years_are_an_age_where_somebody_has_it(text: str, age: int | None, audience: str | None) -> None:
    wish = parse(text)

    assert (wish.age, wish.audience) == (age, audience)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("тренер говорит: «читайте про китов», что взять?", ""),
        ('my coach says "read about whales", what is there?', ""),
        ("брат говорил про «Белый кит», есть?", "белыи кит"),
        ("есть «белый кит»?", "белыи кит"),
    ],
)
def test_what_somebody_says_is_no_title(text: str, named: str) -> None:
    wish = parse(text)

    assert wish.named == named
    assert named or wish.themes == ("whales",)


def test_what_novels_are_of_is_their_author_only_where_it_is_no_topic() -> None:
    assert (parse("novels of Africa").author, parse("novels of Africa").themes) == ("", ("Africa",))
    assert parse("novels of Achebe").author == "achebe"


def test_by_whom_books_shall_be_is_kept() -> None:
    wish = parse("shorter ones?", parse("travel books by women"))

    assert (wish.by_women, wish.subjects, wish.length) == (True, ("travel",), "short")
