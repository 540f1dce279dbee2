import psycopg
import pytest

import riverqueue_psycopg


@pytest.fixture
def driver(database_url):
    with riverqueue_psycopg.Driver(database_url) as driver:
        yield driver


@pytest.fixture
def connection(database_url):
    with psycopg.connect(database_url) as connection:
        yield connection
        connection.rollback()
