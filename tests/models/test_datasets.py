"""Published data sets as they lie on disk, whole and broken."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.dataset import DataOptions, embedded, load, load_counted, reader_batch
from models.dataset_records import age_bin, era, film_title, goodbook_title, joined_cells
from openshelf.errors import UsageError
from openshelf.settings import get_settings

RATINGS = "userId,movieId,rating,timestamp\n1,10,4.0,300\n1,20,5.0,100\n2,10,0.5,50\n2,30,3.0,60\n"
MOVIES = 'movieId,title,genres\n10,"Matrix, The (1999)",Action|Sci-Fi\n20,Heat (1995),Crime\n30,Up (2009),Animation\n'


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", ".").replace("_DASH_", "-")).write_text(text, encoding="latin-1")
    return folder


def movielens(folder: Path, ratings: str = RATINGS) -> Path:
    return write(folder, ratings__csv=ratings, movies__csv=MOVIES)


def acts_of(data, reader_id: str) -> list[int]:
    number = data.reader_ids.tolist().index(reader_id)
    return data.book_ids[data.rows[data.spans[number] : data.spans[number + 1]]].tolist()


def test_movielens_csv_is_read_with_its_order_values_and_texts(tmp_path: Path) -> None:
    data = load("ML-Latest_small", movielens(tmp_path))

    assert acts_of(data, "1") == [20, 10]
    assert data.times is not None
    assert data.times.tolist() == [100, 300, 50, 60]
    assert data.values.tolist() == pytest.approx([1.0, 0.8, 0.1, 0.6])
    assert data.texts[0] == "The Matrix (1999). Subjects: Action, Sci-Fi"
    assert data.work_features["era"] == ("1990s", "1990s", "2000s")


def test_the_double_colon_edition_in_latin_1_is_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        ratings__dat="1::10::5::978300760\n1::20::3::978300750\n",
        movies__dat="10::Amélie (2001)::Comedy|Romance\n20::Alien (1979)::Horror\n",
        users__dat="1::F::25::10::48067\n",
    )

    data = load("ml-1m", tmp_path)

    assert acts_of(data, "1") == [20, 10]
    assert data.texts[0] == "Amélie (2001). Subjects: Comedy, Romance"
    assert data.reader_features["age"] == ("25-34",)


def test_the_tab_edition_without_header_is_read(tmp_path: Path) -> None:
    write(
        tmp_path,
        u__data="7\t1\t5\t200\n7\t2\t3\t100\n8\t1\t4\t100\n",
        u__item="1|Toy Story (1995)|01-Jan-1995||http://x|0|0\n2|GoldenEye (1995)|01-Jan-1995||http://x|0|0\n",
        u__user="7|24|M|technician|85711\n8|53|F|other|94043\n",
    )

    data = load("ml-100k", tmp_path)

    assert acts_of(data, "7") == [2, 1]
    assert data.texts == ("Toy Story (1995)", "GoldenEye (1995)")
    assert data.reader_features["age"] == ("18-24", "45-54")


def test_the_cleaned_book_crossing_files_are_read_and_their_cut_cells_joined(tmp_path: Path) -> None:
    images = "http://a\thttp://b\thttp://c\t"
    write(
        tmp_path,
        book_history__dat="user\titem\taccessed\n1\t1\t1\n1\t2\t1\n2\t2\t1\n",
        items_info__dat="Book_ID\tISBN\tBook-Title\tBook-Author\tYear-Of-Publication\tPublisher\tS\tM\tL\n"
        f"1\t0393045218\tAngels &amp\t \\Demons\\\tDan Brown\t2001\tW. W. Norton &amp\t Company\t{images}\n"
        f"2\t0345336275\tFoundation (Series\tBk 1)\tIsaac Asimov\t1986\tDel Rey\t{images}\n",
        users_info__dat="User-ID\tLocation\tAge\n1\tbern, bern, switzerland\t24\t\n2\tbarcelona, , n/a\t999\t\n",
    )

    data = load("bx", tmp_path)

    assert data.times is None
    assert data.texts == ('Angels & "Demons" by Dan Brown', "Foundation (Series; Bk 1) by Isaac Asimov")
    assert data.work_features["publisher"] == ("w. w. norton & company", "del rey")
    assert data.work_features["era"] == ("2000s", "1980s")
    assert data.reader_features == {"age": ("18-24", ""), "country": ("switzerland", "")}


def test_the_original_book_crossing_crawl_takes_a_rating_of_0_for_an_access(tmp_path: Path) -> None:
    write(
        tmp_path,
        BX_DASH_Book_DASH_Ratings__csv='"User-ID";"ISBN";"Book-Rating"\n"1";"034545104X";"0"\n"1";"0155061224";"5"\n"1";"1";"x"\n',
        BX_DASH_Books__csv='"ISBN";"Book-Title";"Book-Author";"Year-Of-Publication";"Publisher";"S";"M";"L"\n'
        '"034545104X";"Flesh \\"and\\" Blood &amp; Bone";"M. J. Rose";"2002";"Ballantine";"http://a";"http://b";"http://c"\n',
        BX_DASH_Users__csv='"User-ID";"Location";"Age"\n"1";"nyc, new york, usa";NULL\n',
    )

    loaded = load_counted("Book-Crossing", tmp_path)

    assert loaded.data.rows.tolist() == [1, 0]
    assert loaded.data.values.tolist() == pytest.approx([1.0, 0.5])
    assert loaded.counts.rejected == 1
    assert loaded.data.texts == ("", 'Flesh "and" Blood & Bone by M. J. Rose')
    assert loaded.counts.works_without_text == 1
    assert loaded.data.reader_features == {"country": ("usa",)}


def test_goodbooks_is_read_with_its_series(tmp_path: Path) -> None:
    write(
        tmp_path,
        ratings__csv="user_id,book_id,rating\n1,2,5\n1,1,3\n",
        books__csv="book_id,authors,original_publication_year,title\n"
        '1,Suzanne Collins,2008.0,"Catching Fire (The Hunger Games, #2)"\n2,Plato,-380.0,The Republic\n',
    )

    data = load("goodbooks-10k", tmp_path)

    assert data.texts == ("Catching Fire by Suzanne Collins. Series: The Hunger Games", "The Republic by Plato")
    assert data.work_features["era"] == ("2000s", "")
    assert data.times is None


def test_any_csv_with_a_reader_and_a_work_is_read(tmp_path: Path) -> None:
    write(tmp_path, acts__csv="Reader,Item,Timestamp\nb,x,2024-03-02T00:00:00\na,y,2024-03-01\nb,y,2024-03-01\n")

    data = load("csv", tmp_path / "acts.csv")

    assert data.reader_ids.tolist() == ["a", "b"]
    assert data.rows.tolist() == [1, 1, 0]
    assert data.times is not None
    assert data.times[2] - data.times[1] == 86_400


def test_of_two_acts_on_one_work_the_first_in_time_is_kept(tmp_path: Path) -> None:
    loaded = load_counted("csv", write(tmp_path, acts__csv="user,book,rating,time\n1,5,2,900\n1,5,4,100\n1,6,5,500\n"))

    assert loaded.data.values.tolist() == pytest.approx([0.8, 1.0])
    assert loaded.counts.repeated == 1


def test_ratings_out_of_range_are_left_out_and_counted(tmp_path: Path) -> None:
    loaded = load_counted("ml", movielens(tmp_path, RATINGS + "2,20,11,70\n2,20,good,80\n,20,3,90\n"))

    assert loaded.counts.rejected == 3
    assert len(loaded.data.rows) == 4


def test_ratings_mostly_out_of_range_are_refused_with_the_line(tmp_path: Path) -> None:
    ratings = "userId,movieId,rating,timestamp\n1,10,4,1\n1,20,80,2\n2,20,95,3\n2,30,60,4\n"

    with pytest.raises(UsageError, match=r"3 of 4 lines.*line 3"):
        load("ml", movielens(tmp_path, ratings))


@pytest.mark.parametrize(
    ("ratings", "message"),
    [
        ("userId,film,rating,timestamp\n1,10,4,1\n", r"ratings.csv has no column .*it has userId, film"),
        ("userId,movieId,stars,timestamp\n1,10,4,1\n", r"no column rating"),
        ("", r"ratings.csv is empty"),
        ("userId,movieId,rating,timestamp\n", r"nothing below"),
        ("userId,movieId,rating,timestamp\n1,10,4,1\n1,20,4,1,9,9\n", r"ratings.csv cannot be read.*line 3"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, ratings: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load("ml-latest", movielens(tmp_path, ratings))


def test_an_unknown_name_and_a_wrong_folder_are_refused_with_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")

    with pytest.raises(UsageError, match=r"'netflix' is not known; known: movielens.*book_crossing.*goodbooks.*csv"):
        load("netflix", tmp_path)
    with pytest.raises(UsageError, match=r"none of the files ratings\.csv.*there is notes\.txt"):
        load("ml-25m", tmp_path)
    with pytest.raises(UsageError, match="nothing at"):
        load("ml-25m", tmp_path / "nowhere")


def test_a_data_set_is_found_one_folder_deeper(tmp_path: Path) -> None:
    (tmp_path / "ml-20m").mkdir()
    movielens(tmp_path / "ml-20m")

    assert load("ml-20m", tmp_path).texts[1] == "Heat (1995). Subjects: Crime"


def test_a_minimum_of_acts_holds_for_readers_and_works_together(tmp_path: Path) -> None:
    acts = "user,book\n1,a\n1,b\n2,a\n2,b\n3,a\n3,c\n"

    loaded = load_counted("csv", write(tmp_path, acts__csv=acts), DataOptions(None, 2, 2))

    # Work c goes, then reader 3 has one act left and goes too.
    assert loaded.data.reader_ids.tolist() == ["1", "2"]
    assert loaded.counts.too_few == 2


def test_a_least_rating_leaves_out_what_is_below(tmp_path: Path) -> None:
    loaded = load_counted("ml", movielens(tmp_path), DataOptions(min_rating=4))

    assert loaded.counts.below_min_rating == 2
    assert loaded.counts.one_act_readers == 0
    assert loaded.data.reader_ids.tolist() == ["1"]
    with pytest.raises(UsageError, match="no acts left"):
        load_counted("ml", tmp_path, DataOptions(min_rating=5.5))


def test_the_last_acts_of_readers_are_right_aligned_and_strangers_are_empty(tmp_path: Path) -> None:
    data = load("ml", movielens(tmp_path))

    batch = reader_batch(data, np.array([1, -1, 0]), 3)

    assert batch.numbers.tolist() == [1, -1, 0]
    assert batch.rows.tolist() == [[-1, 0, 2], [-1, -1, -1], [-1, 1, 0]]
    assert batch.times is not None
    assert batch.times.tolist() == [[0, 50, 60], [0, 0, 0], [0, 100, 300]]
    assert reader_batch(data, np.array([0]), 1).rows.tolist() == [[0]]


def test_a_reader_without_acts_is_a_stranger(tmp_path: Path) -> None:
    data = load("ml", movielens(tmp_path))
    first = data.readers == 0
    without = replace(data, readers=data.readers[first], rows=data.rows[first], values=data.values[first], times=None)

    batch = reader_batch(without, np.array([0, 1]), 2)

    assert batch.numbers.tolist() == [0, -1]
    assert batch.rows.tolist() == [[1, 0], [-1, -1]]


def test_texts_are_embedded_once_and_read_from_the_cache_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSHELF_HOME", str(tmp_path / "home"))
    get_settings.cache_clear()
    data = load("ml", movielens(tmp_path))
    data = replace(data, texts=(data.texts[0], "", data.texts[2]))
    done: list[int] = []

    first = embedded(data, lambda _, count, of: done.append(count))
    again = embedded(data, lambda _, count, of: done.append(-count))

    get_settings.cache_clear()
    vectors = first.text_embeddings()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 0, 1], abs=1e-3)
    assert np.array_equal(again.text_embeddings(), vectors)
    assert done == [2]
    assert [path.suffix for path in (tmp_path / "home" / "cache").iterdir()] == [".npy"]


def test_a_truncated_cache_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENSHELF_HOME", str(tmp_path / "home"))
    get_settings.cache_clear()
    data = load("ml", movielens(tmp_path))
    whole = embedded(data).text_embeddings()
    (path,) = (tmp_path / "home" / "cache").iterdir()
    path.write_bytes(path.read_bytes()[:700])

    mended = embedded(data).text_embeddings()

    get_settings.cache_clear()
    assert np.allclose(mended, whole, atol=1e-5)


def test_titles_years_and_ages_are_mended() -> None:
    assert film_title("Swamp, The (Ciénaga, La) (2001)") == ("The Swamp (La Ciénaga) (2001)", "2001")
    assert film_title("Avventura, L' (Adventure, The) (1960)") == ("L'Avventura (The Adventure) (1960)", "1960")
    assert film_title("Macbeth (a.k.a. Tragedy, The)") == ("Macbeth (a.k.a. The Tragedy)", "")
    assert film_title("Play It Again, Sam (1972)") == ("Play It Again, Sam (1972)", "1972")
    assert film_title("Nameless") == ("Nameless", "")
    assert goodbook_title("Dune (Dune Chronicles #1)") == ("Dune", "Dune Chronicles")
    assert joined_cells(["R&#38", "D", "x"]) == ["R&D", "x"]
    assert [era("1850"), era("0"), era("1999"), era("")] == ["before 1900", "", "1990s", ""]
    assert [age_bin("17"), age_bin("3"), age_bin("64"), age_bin("NULL")] == ["0-17", "", "55-64", ""]
