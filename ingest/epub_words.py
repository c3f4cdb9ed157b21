"""Sentences of the demo EPUBs, in the three languages of most of the shelf. Our own words. Pure."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Words:
    about: str
    before: str
    after: str
    notice: str
    by: str
    openings: tuple[str, ...]
    kinds: dict[str, tuple[str, ...]]  # group of families -> sentences
    closings: tuple[str, ...]
    next_intro: str
    next_none: str


_GROUPS = {
    "story": ("novel", "classic", "past", "future", "wonder", "night", "heart", "young"),
    "verse": ("verse",),
    "fact": ("annals", "thought", "trade", "science", "living", "body"),
    "hands": ("table", "arts", "travel"),
}
_GROUP_OF = {family: group for group, families in _GROUPS.items() for family in families}

ENGLISH = Words(
    about="About this book",
    before="Before you read",
    after="Where to go next",
    notice="This is a sample made for the Openshelf demo library. It holds a short reader's note of our own and not "
    "the text of the book.",
    by=", by ",
    openings=(
        "Give a book its first evening without a telephone in the room.",
        "Nobody is keeping score: a book may be begun, put down and begun again.",
        "The best way in is usually the front door, so start with page one and leave the introduction for later.",
        "A library book has been read by strangers, and that is a kind of company.",
    ),
    kinds={
        "story": (
            "Watch who is allowed to speak in the first chapter, and who is only spoken about.",
            "If the names blur, write them on a slip of paper; it makes a good bookmark.",
            "Pay attention to rooms and weather, because storytellers seldom describe them for nothing.",
            "When a character decides something quickly, ask what they did not want to think about.",
            "Stop once in a while and guess what comes next; being wrong is half the pleasure.",
        ),
        "verse": (
            "Read a page aloud, even quietly, and let the breath find the pauses.",
            "Take one piece at a time: two in a row wash each other out.",
            "What puzzles you on Monday may be plain on Friday, and nothing has to be solved.",
            "Copy the line you like best by hand; the hand notices what the eye skips.",
        ),
        "fact": (
            "Keep a question in mind and see in which chapter it changes.",
            "Look at how the author knows what is claimed, for that is where the real story often is.",
            "Skipping a hard page is no crime; most of them come clear from the other side.",
            "Try explaining the chapter to somebody at supper, and read again the part you could not explain.",
            "Dates and figures age, while good reasons keep, so read for the reasons.",
        ),
        "hands": (
            "Keep a pencil close by, because this is a book to use as much as to read.",
            "Look first and read afterwards; then look again.",
            "Choose one thing in it to try this week, and a harder one to dream about.",
            "Open it anywhere: books like this were made for wandering.",
        ),
    },
    closings=(
        "When you have finished, tell the shelf what you thought; it will remember what to show you.",
        "If it is not for you, bring it back early and with a clear conscience.",
        "Whatever you make of it, somebody at the desk would like to hear.",
    ),
    next_intro="From the same shelves of the demo library:",
    next_none="Nothing else stands on this shelf yet.",
)

VIETNAMESE = Words(
    about="Về cuốn sách này",
    before="Trước khi đọc",
    after="Đọc gì tiếp theo",
    notice="Đây là bản mẫu làm riêng cho thư viện thử nghiệm Openshelf, gồm vài lời ngỏ do chúng tôi viết, "
    "không phải nội dung cuốn sách.",
    by=", ",
    openings=(
        "Hãy dành cho cuốn sách buổi tối đầu tiên không có điện thoại bên cạnh.",
        "Không ai chấm điểm việc đọc: cứ mở ra, gấp lại, rồi mở ra lần nữa.",
        "Sách thư viện đã qua tay nhiều người lạ, và đó cũng là một kiểu bầu bạn.",
    ),
    kinds={
        "story": (
            "Để ý xem ở chương đầu ai được lên tiếng, ai chỉ được nhắc đến.",
            "Nếu thấy nhiều tên quá, hãy ghi ra một mảnh giấy; mảnh giấy ấy sẽ thành thẻ đánh dấu trang.",
            "Căn phòng và thời tiết trong truyện ít khi được tả mà không có lý do.",
            "Thỉnh thoảng dừng lại đoán chuyện sắp xảy ra; đoán sai cũng là một nửa niềm vui.",
        ),
        "verse": (
            "Hãy đọc thành tiếng, dù thật khẽ, để hơi thở tự tìm chỗ ngắt.",
            "Mỗi lần chỉ nên đọc một bài, đọc liền hai bài thì bài này xóa mất bài kia.",
            "Chép tay câu mình thích nhất, bàn tay sẽ nhận ra điều con mắt bỏ qua.",
        ),
        "fact": (
            "Hãy mang theo một câu hỏi và xem đến chương nào thì câu hỏi ấy đổi khác.",
            "Chú ý xem tác giả biết điều mình nói bằng cách nào, chuyện hay thường nằm ở đó.",
            "Bỏ qua một trang khó không phải là lỗi; đọc tiếp rồi quay lại sẽ thấy rõ hơn.",
            "Thử kể lại một chương trong bữa cơm, rồi đọc lại đoạn mình chưa kể được.",
        ),
        "hands": (
            "Nên để sẵn cây bút chì, vì đây là sách để dùng cũng nhiều như để đọc.",
            "Chọn một điều trong sách để thử ngay tuần này.",
            "Cứ mở ở bất cứ trang nào: loại sách này sinh ra để dạo chơi.",
        ),
    },
    closings=(
        "Đọc xong, hãy cho giá sách biết bạn nghĩ gì, lần sau nó sẽ gợi ý đúng hơn.",
        "Nếu không hợp, cứ trả sớm mà không phải áy náy.",
    ),
    next_intro="Cùng giá sách trong thư viện thử nghiệm:",
    next_none="Trên giá này chưa có cuốn nào khác.",
)

RUSSIAN = Words(
    about="Об этой книге",
    before="Прежде чем читать",
    after="Что читать дальше",
    notice="Это образец, сделанный для демонстрационной библиотеки Openshelf: короткая заметка наших редакторов, "
    "а не текст книги.",
    by=". ",
    openings=(
        "Подарите книге первый вечер без телефона в комнате.",
        "Оценок здесь не ставят: книгу можно начать, отложить и начать снова.",
        "Библиотечную книгу до вас читали незнакомые люди, и это тоже своего рода компания.",
    ),
    kinds={
        "story": (
            "Заметьте, кому в первой главе дают слово, а о ком только говорят.",
            "Если имена путаются, выпишите их на листок: из него выйдет хорошая закладка.",
            "Комнаты и погоду рассказчики редко описывают просто так.",
            "Иногда останавливайтесь и угадывайте, что будет дальше: ошибаться тоже приятно.",
        ),
        "verse": (
            "Прочтите страницу вслух, хотя бы шёпотом, и паузы найдутся сами.",
            "Берите по одному стихотворению: два подряд заслоняют друг друга.",
            "Перепишите любимую строку от руки, рука заметит то, что пропустил глаз.",
        ),
        "fact": (
            "Держите в уме один вопрос и следите, в какой главе он изменится.",
            "Смотрите, откуда автор знает то, что утверждает: самое интересное часто именно там.",
            "Пропустить трудную страницу не грех, многие из них проясняются потом.",
            "Попробуйте пересказать главу за ужином и перечитайте то, что не получилось.",
        ),
        "hands": (
            "Держите под рукой карандаш: этой книгой пользуются не меньше, чем читают.",
            "Выберите одну вещь, которую попробуете уже на этой неделе.",
            "Открывайте где угодно: такие книги созданы для прогулок.",
        ),
    },
    closings=(
        "Когда дочитаете, расскажите полке, что думаете: она запомнит, что вам показать.",
        "Если книга не ваша, верните её пораньше и с чистой совестью.",
    ),
    next_intro="С тех же полок демонстрационной библиотеки:",
    next_none="На этой полке пока больше ничего нет.",
)

_OF_LANGUAGE = {"vie": VIETNAMESE, "rus": RUSSIAN}


def words_of(language: str) -> tuple[Words, str]:
    """The words for a book of this language, and their own language as an EPUB names it."""
    return _OF_LANGUAGE.get(language, ENGLISH), {"vie": "vi", "rus": "ru"}.get(language, "en")


def readers_note(words: Words, family: str, rng: Random) -> list[str]:
    """Two paragraphs of advice that suit the kind of book."""
    kinds = words.kinds[_GROUP_OF[family]]
    advice = rng.sample(kinds, min(3, len(kinds)))
    return [f"{rng.choice(words.openings)} {advice[0]}", f"{' '.join(advice[1:])} {rng.choice(words.closings)}"]
