"""Code written for the insert-only package runs after its imports are changed."""

import json
from dataclasses import dataclass

import sqlalchemy

# was: import riverqueue; from riverqueue.driver import riversqlalchemy
import riverqueue
import riverqueue_sqlalchemy as riversqlalchemy
from riverqueue import InsertManyParams, InsertOpts, JobArgs, UniqueOpts
from tests.support.server import sqlalchemy_url


@dataclass
class SortArgs:
    strings: list[str]

    kind: str = "sort"

    def to_json(self) -> str:
        return json.dumps({"strings": self.strings})

    def insert_opts(self) -> InsertOpts:
        return InsertOpts(max_attempts=5, queue="alternate")


def describe(args: JobArgs) -> str:
    return args.kind


def test_it_runs(database_url):
    engine = sqlalchemy.create_engine(sqlalchemy_url(database_url, "psycopg2"))
    client = riverqueue.Client(riversqlalchemy.Driver(engine))
    result = client.insert(
        SortArgs(strings=["whale", "tiger", "bear"]),
        insert_opts=InsertOpts(unique_opts=UniqueOpts(by_args=True, by_period=15 * 60), tags=["sort"]),
    )
    assert result.job.args == {"strings": ["whale", "tiger", "bear"]}
    assert (result.job.queue, result.job.max_attempts, result.unique_skipped_as_duplicated) == ("alternate", 5, False)
    with engine.begin() as conn:
        assert client.insert_tx(conn, SortArgs(["a"])).job.id
        assert len(client.insert_many_tx(conn, [SortArgs(["a"]), InsertManyParams(args=SortArgs(["b"]))])) == 2
    assert len(client.insert_many([SortArgs(["c"]), SortArgs(["d"])])) == 2
    assert describe(SortArgs([])) == "sort"
    assert (riverqueue.MAX_ATTEMPTS_DEFAULT, riverqueue.PRIORITY_DEFAULT, riverqueue.QUEUE_DEFAULT) == (
        25,
        1,
        "default",
    )
    engine.dispose()
