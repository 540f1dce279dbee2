"""Either side's migrations can be continued, used and taken back by the other."""

import psycopg
import pytest
from psycopg import sql

from tests.interop.adapter import Adapter
from tests.interop.conftest import Start
from tests.interop.scene import insert, job, read_rows

VERSIONS = list(range(1, 9))

# Whatever River's migrations make: one row a thing, in the same six columns.
STRUCTURE = """
SELECT 'column', concat_ws(' ', c.relname, c.relkind, c.relpersistence), concat_ws(' ', a.attnum, a.attname),
       format_type(a.atttypid, a.atttypmod), a.attnotnull::text, pg_get_expr(d.adbin, d.adrelid)
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), '', ''
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT 'function', proname::text, pg_get_function_arguments(oid), pg_get_function_result(oid), provolatile::text, prosrc
  FROM pg_proc WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT 'enum', t.typname::text, e.enumlabel::text,
       (row_number() OVER (PARTITION BY t.oid ORDER BY e.enumsortorder))::text, '', ''
  FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid WHERE t.typnamespace = 'public'::regnamespace
UNION ALL
SELECT 'trigger', tgrelid::regclass::text, tgname::text, pg_get_triggerdef(oid), '', ''
  FROM pg_trigger WHERE NOT tgisinternal
"""


def structure(url: str) -> list[str]:
    with psycopg.connect(url, autocommit=True) as connection:
        rows = connection.execute(STRUCTURE).fetchall()
    return sorted(map(str, rows))


def versions(adapter: Adapter, **params: object) -> list[int]:
    return adapter.request("migrate", params)["versions"]  # type: ignore[no-any-return]


def drop_all(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP SCHEMA public CASCADE"))
        connection.execute(sql.SQL("CREATE SCHEMA public"))


@pytest.mark.parametrize("version", VERSIONS)
def test_what_one_began_the_other_completes(empty_database_url: str, start_on: Start, version: int) -> None:
    found = []
    for names in (("go", "psycopg"), ("psycopg", "go")):
        drop_all(empty_database_url)
        first, second = (start_on(name, empty_database_url) for name in names)
        assert versions(first, target_version=version) == VERSIONS[:version]
        begun = structure(empty_database_url)
        assert versions(second) == VERSIONS[version:]
        assert versions(first) == versions(second) == []
        complete = structure(empty_database_url)
        _use(first, second, empty_database_url)
        assert versions(first, direction="down", target_version=version) == VERSIONS[version:][::-1]
        back = structure(empty_database_url)
        assert versions(second, direction="down") == [version]
        assert versions(second, direction="down", target_version=-1) == VERSIONS[: version - 1][::-1]
        found.append((begun, complete, back, structure(empty_database_url)))
    assert found[0] == found[1]


def _use(first: Adapter, second: Adapter, url: str) -> None:
    unique = job(unique={"by_args": True})
    row = insert(first, unique)[0]["job"]
    assert insert(second, unique) == [{"job": row, "unique_skipped_as_duplicate": True}]
    with psycopg.connect(url, autocommit=True) as connection:
        assert len(read_rows(connection)) == 1
        connection.execute("TRUNCATE river_job")
