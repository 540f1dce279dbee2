# Generated from async_values.py by tools/generate_sync.py; do not edit.
"""Values: what goes into a statement and comes out of it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from math import inf
from typing import Any
from unittest import SkipTest

from riverqueue import Client, InsertOpts
from riverqueue.testing.conformance.harness import Harness, fetch
from riverqueue.testing.conformance.sample import SORT, TEXTS

_TIMES = [
    datetime(2026, 11, 23, 1, 2, 3, 456_789, tzinfo=UTC),
    datetime(2026, 11, 23, 1, 2, 3, 1, tzinfo=UTC),
    datetime(2026, 2, 3, tzinfo=UTC),  # day and month could be mistaken for each other
    datetime(2026, 7, 1, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-4))),
    datetime(2999, 1, 1, tzinfo=UTC),
]


class Values(Harness):
    """Values arrive as they were sent, in the same Python type."""

    def echo(self, type: str, values: Sequence[Any]) -> list[Any]:  # noqa: A002  (SQL's word)
        """Send values one by one and return what came back."""
        with self.driver() as driver, self.transaction(driver) as tx:
            return [(fetch(driver, tx, f"SELECT @value::{type}", value=value))[0][0] for value in values]

    def test_none(self) -> None:
        for type in ("text", "bigint", "boolean", "float8", "timestamptz", "bigint[]", "text[]"):  # noqa: A001
            assert self.echo(type, [None]) == [None]

    def test_bool(self) -> None:
        answers = self.echo("boolean", [True, False])
        assert [repr(answer) for answer in answers] == ["True", "False"]

    def test_int(self) -> None:
        values = [0, 1, -1, 2**31, 2**63 - 1, 1 - 2**63]
        answers = self.echo("bigint", values)
        assert answers == values
        assert {type(answer) for answer in answers} == {int}
        assert self.echo("smallint", [1 - 2**15, 2**15 - 1]) == [1 - 2**15, 2**15 - 1]

    def test_float(self) -> None:
        values = [0.0, 0.1, -1.5, 1e300, 5e-324, 2.0**53 + 2, inf]
        answers = self.echo("float8", values)
        assert [repr(answer) for answer in answers] == [repr(value) for value in values]

    def test_str(self) -> None:
        assert self.echo("text", TEXTS) == TEXTS

    def test_json_as_text(self) -> None:
        text = '{"text": "it\'s 5 % \\\\ of \\"☃\\" :x $1"}'
        assert self.echo("text::jsonb::text", [text]) == [text]

    def test_aware_datetime(self) -> None:
        answers = self.echo("timestamptz", _TIMES)
        assert answers == _TIMES
        assert all(answer.utcoffset() is not None for answer in answers)

    def test_list_of_int(self) -> None:
        values: list[list[int]] = [[], [7], [0, -1, 2**63 - 1]]
        assert [list(answer) for answer in self.echo("bigint[]", values)] == values

    def test_list_of_str(self) -> None:
        values = [[], [""], TEXTS, ["NULL", "null"]]
        assert [list(answer) for answer in self.echo("text[]", values)] == values

    def test_parameters_in_any_order_and_twice(self) -> None:
        with self.driver() as driver, self.transaction(driver) as tx:
            sql = "SELECT @b::int, @a::text, @b::int, '100 %'"
            assert [tuple(row) for row in fetch(driver, tx, sql, a="x", b=2)] == [(2, "x", 2, "100 %")]

    def test_rows_by_position_whatever_their_names(self) -> None:
        with self.driver() as driver, self.transaction(driver) as tx:
            rows = fetch(driver, tx, "SELECT n AS x, -n AS x FROM generate_series(1, 3) AS n ORDER BY n")
            assert [tuple(row) for row in rows] == [(1, -1), (2, -2), (3, -3)]
            assert list(fetch(driver, tx, "SELECT 1 WHERE false")) == []

    def test_a_statement_without_rows(self) -> None:
        with self.driver() as driver, self.transaction(driver) as tx:
            assert list(fetch(driver, tx, "DO $$ BEGIN END $$")) == []

    def test_the_sessions_settings_do_not_show(self) -> None:
        settings = {
            "TimeZone": "America/St_Johns",
            "IntervalStyle": "sql_standard",
            "bytea_output": "escape",
            "extra_float_digits": "-15",
            "standard_conforming_strings": "off",
        }
        self._check_under(settings | {"TimeZone": "Asia/Kolkata"})
        self._check_under(settings)

    def test_the_sessions_date_style_does_not_show(self) -> None:
        if not self.date_styles:
            raise SkipTest("the library reads datetimes as ISO text")
        for style in ("SQL, DMY", "German", "Postgres, MDY"):
            self._check_under({"DateStyle": style})

    def _check_under(self, settings: dict[str, str]) -> None:
        opts = InsertOpts(scheduled_at=_TIMES[2], metadata={"text": "back\\slash it's é"}, tags=["a-tag"])
        with self.driver() as driver, self.undone(driver) as tx:
            for name, value in settings.items():
                fetch(driver, tx, "SELECT set_config(@name::text, @value::text, true)", name=name, value=value)
            job = (Client(driver).insert(SORT, opts, tx=tx)).job
            times = [(fetch(driver, tx, "SELECT @x::timestamptz", x=time))[0][0] for time in _TIMES]
        assert (job.args, job.scheduled_at, job.metadata) == (SORT.args, opts.scheduled_at, opts.metadata)
        assert times == _TIMES
