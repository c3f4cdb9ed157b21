"""An erased reader does not come back from the topic, which keeps messages for days; and no stranger can ask for it."""

import shutil
from pathlib import Path

import psycopg
from broker_road import Road, on_each_broker
from running_stream import count, is_drained, running, wait_for
from stream_acts import act, many_acts

from openshelf.database import erasures, events
from openshelf.settings import get_settings


def rows_of(conn: psycopg.Connection, reader_key: str) -> int:
    """In every table of the stream."""
    total = 0
    for schema, table in erasures.tables_with(conn, "reader_key"):
        row = conn.execute(
            psycopg.sql.SQL("select count(*) from {} where reader_key = %s").format(
                psycopg.sql.Identifier(schema, table)
            ),
            [reader_key],
        ).fetchone()
        assert row
        total += row[0]
    conn.commit()
    return total


@on_each_broker
def test_what_the_topic_still_has_of_an_erased_reader_is_dropped(
    conn: psycopg.Connection, road: Road, tmp_path: Path
) -> None:
    acts = many_acts(60, count_readers=3)
    events.append_many(conn, acts)
    conn.commit()
    kept = sum(each.reader_key != "r_1" for each in acts)
    with running("relay", log=tmp_path / "relay"):
        with running("run", log=tmp_path / "run") as flow:
            wait_for(lambda: count(conn, "interactions") == 60, "all acts")
            erasures.forget(conn, ["r_1"])
            conn.commit()
            wait_for(lambda: rows_of(conn, "r_1") == 0, "the dataflow to forget")
            assert count(conn, "interactions") == kept
            # A stranger writes to the topic: an act of the erased reader, and that another one be forgotten.
            late = act(reader_key="r_1")
            road.send([{"key": "r_1", "value": late.encode()}, {"key": "r_2", "value": b"forget r_2"}])
            wait_for(lambda: count(conn, "dead_letters") == 1, "the stranger's word to be refused")
            flow.stop()
        shutil.rmtree(get_settings().home / "recovery")
        late = act(reader_key="r_0")
        events.append(conn, late)
        conn.commit()
        with running("run", log=tmp_path / "again") as flow:  # replays all that the topic has
            wait_for(lambda: count(conn, "interactions") == kept + 1, "an act after the replay")
            wait_for(lambda: is_drained(conn, "sessions"), "the log to be drained")
            flow.stop()

    assert rows_of(conn, "r_1") == 0
    assert rows_of(conn, "r_2")
    assert sum(len(message.value() or b"") > 0 for message in road.read(road.settings.topics.interactions)) >= 60, (
        "the topic has them still, for its seven days"
    )
