"""Go's migrator and ours take turns on one database."""

from riverqueue_migrations import current, downgrade, pending, upgrade

from tests.migrations.conftest import Database, Go, golden


def test_we_carry_on_where_go_stopped(database: Database, golang: Go):
    for version in range(1, 9):
        golang.up(database, version)
        assert current(database.engine, database.schema) == version
        applied = upgrade(database.engine, schema=database.schema)
        assert [one.version for one in applied] == list(range(version + 1, 9))
        assert database.describe() == golden(8)
        assert "no migrations to apply" in golang("migrate-up", database)
        golang("validate", database)
        downgrade(database.engine, 0, database.schema)


def test_go_carries_on_where_we_stopped(database: Database, golang: Go):
    for version in range(1, 9):
        upgrade(database.engine, version, database.schema)
        golang("migrate-up", database)
        assert database.describe() == golden(8)
        assert database.versions() == list(range(1, 9))
        assert upgrade(database.engine, schema=database.schema) == []
        golang.down(database, 0)
        assert database.describe() == golden(0)


def test_go_goes_down_what_we_brought_up_and_the_reverse(database: Database, golang: Go):
    upgrade(database.engine, schema=database.schema)
    golang.down(database, 4)
    assert pending(database.engine, schema=database.schema) == [5, 6, 7, 8]
    assert database.describe() == golden(4, from_above=True)
    downgrade(database.engine, 2, database.schema)
    golang("migrate-up", database)
    downgrade(database.engine, 0, database.schema)
    assert database.describe() == golden(0)
    golang("migrate-up", database)
    assert database.describe() == golden(8)


def test_names_are_those_go_prints(default_database: Database, golang: Go):
    theirs = golang("migrate-up", default_database).splitlines()
    golang.down(default_database, 0)
    ours = upgrade(default_database.engine)
    assert [f"applied migration {one.version:03} [up] {one.name}" for one in ours] == theirs
