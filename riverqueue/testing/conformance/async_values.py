"""Values: what goes into a statement and comes out of it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from math import inf
from typing import Any
from unittest import SkipTest

from riverqueue import AsyncClient, InsertOpts
from riverqueue.testing.conformance.async_harness import AsyncHarness, fetch
from riverqueue.testing.conformance.sample import SORT, TEXTS

_TIMES = [
    datetime(2026, 11, 23, 1, 2, 3, 456_789, tzinfo=UTC),
    datetime(2026, 11, 23, 1, 2, 3, 1, tzinfo=UTC),
    datetime(2026, 2, 3, tzinfo=UTC),  # day and month could be mistaken for each other
    datetime(2026, 7, 1, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-4))),
    datetime(2999, 1, 1, tzinfo=UTC),
]


class Values(AsyncHarness):
    """Values arrive as they were sent, in the same Python type."""

    async def echo(self, type: str, values: Sequence[Any]) -> list[Any]:  # noqa: A002  (SQL's word)
        """Send values one by one and return what came back."""
        async with self.driver() as driver, self.transaction(driver) as tx:
            return [(await fetch(driver, tx, f"SELECT @value::{type}", value=value))[0][0] for value in values]

    async def test_none(self) -> None:
        for type in ("text", "bigint", "boolean", "float8", "timestamptz", "bigint[]", "text[]"):  # noqa: A001
            assert await self.echo(type, [None]) == [None]

    async def test_bool(self) -> None:
        answers = await self.echo("boolean", [True, False])
        assert [repr(answer) for answer in answers] == ["True", "False"]

    async def test_int(self) -> None:
        values = [0, 1, -1, 2**31, 2**63 - 1, 1 - 2**63]
        answers = await self.echo("bigint", values)
        assert answers == values
        assert {type(answer) for answer in answers} == {int}
        assert await self.echo("smallint", [1 - 2**15, 2**15 - 1]) == [1 - 2**15, 2**15 - 1]

    async def test_float(self) -> None:
        values = [0.0, 0.1, -1.5, 1e300, 5e-324, 2.0**53 + 2, inf]
        answers = await self.echo("float8", values)
        assert [repr(answer) for answer in answers] == [repr(value) for value in values]

    async def test_str(self) -> None:
        assert await self.echo("text", TEXTS) == TEXTS

    async def test_json_as_text(self) -> None:
        text = '{"text": "it\'s 5 % \\\\ of \\"☃\\" :x $1"}'
        assert await self.echo("text::jsonb::text", [text]) == [text]

    async def test_aware_datetime(self) -> None:
        answers = await self.echo("timestamptz", _TIMES)
        assert answers == _TIMES
        assert all(answer.utcoffset() is not None for answer in answers)

    async def test_list_of_int(self) -> None:
        values: list[list[int]] = [[], [7], [0, -1, 2**63 - 1]]
        assert [list(answer) for answer in await self.echo("bigint[]", values)] == values

    async def test_list_of_str(self) -> None:
        values = [[], [""], TEXTS, ["NULL", "null"]]
        assert [list(answer) for answer in await self.echo("text[]", values)] == values

    async def test_parameters_in_any_order_and_twice(self) -> None:
        async with self.driver() as driver, self.transaction(driver) as tx:
            sql = "SELECT @b::int, @a::text, @b::int, '100 %'"
            assert [tuple(row) for row in await fetch(driver, tx, sql, a="x", b=2)] == [(2, "x", 2, "100 %")]

    async def test_rows_by_position_whatever_their_names(self) -> None:
        async with self.driver() as driver, self.transaction(driver) as tx:
            rows = await fetch(driver, tx, "SELECT n AS x, -n AS x FROM generate_series(1, 3) AS n ORDER BY n")
            assert [tuple(row) for row in rows] == [(1, -1), (2, -2), (3, -3)]
            assert list(await fetch(driver, tx, "SELECT 1 WHERE false")) == []

    async def test_a_statement_without_rows(self) -> None:
        async with self.driver() as driver, self.transaction(driver) as tx:
            assert list(await fetch(driver, tx, "DO $$ BEGIN END $$")) == []

    async def test_the_sessions_settings_do_not_show(self) -> None:
        settings = {
            "TimeZone": "America/St_Johns",
            "IntervalStyle": "sql_standard",
            "bytea_output": "escape",
            "extra_float_digits": "-15",
            "standard_conforming_strings": "off",
        }
        await self._check_under(settings | {"TimeZone": "Asia/Kolkata"})
        await self._check_under(settings)

    async def test_the_sessions_date_style_does_not_show(self) -> None:
        if not self.date_styles:
            raise SkipTest("the library reads datetimes as ISO text")
        for style in ("SQL, DMY", "German", "Postgres, MDY"):
            await self._check_under({"DateStyle": style})

    async def _check_under(self, settings: dict[str, str]) -> None:
        opts = InsertOpts(scheduled_at=_TIMES[2], metadata={"text": "back\\slash it's é"}, tags=["a-tag"])
        async with self.driver() as driver, self.undone(driver) as tx:
            for name, value in settings.items():
                await fetch(driver, tx, "SELECT set_config(@name::text, @value::text, true)", name=name, value=value)
            job = (await AsyncClient(driver).insert(SORT, opts, tx=tx)).job
            times = [(await fetch(driver, tx, "SELECT @x::timestamptz", x=time))[0][0] for time in _TIMES]
        assert (job.args, job.scheduled_at, job.metadata) == (SORT.args, opts.scheduled_at, opts.metadata)
        assert times == _TIMES
