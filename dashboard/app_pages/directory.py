"""Which subjects and authors are there?"""

from dashboard import data
from dashboard.components import furniture
from dashboard.words import address, capitalised

furniture.heading("Subjects and authors")
subjects = sorted(data.facets().subjects, key=lambda subject: subject.name.casefold())
furniture.directory(
    "subjects",
    "Subjects",
    [(capitalised(each.name), address("browse", subject=each.name), each.count_works) for each in subjects],
)
furniture.directory(
    "authors",
    "Authors, A to Z",
    [(each.name, address("browse", author=each.name), each.count_works) for each in data.author_counts()],
)
