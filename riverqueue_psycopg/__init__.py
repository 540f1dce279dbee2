"""River on psycopg: insert jobs in the psycopg connection you already hold.

import psycopg
import riverqueue, riverqueue_psycopg

client = riverqueue.Client(riverqueue_psycopg.Driver("postgresql://localhost/app"))
with psycopg.connect("postgresql://localhost/app") as conn:
    conn.execute("INSERT INTO …")
    client.insert(SortArgs(["c", "a"]), tx=conn)
"""

from riverqueue_psycopg.async_driver import AsyncDriver
from riverqueue_psycopg.driver import Driver

__all__ = ["AsyncDriver", "Driver"]
