"""The suite for async drivers."""

from riverqueue.testing.conformance.async_cancellation import Cancellation
from riverqueue.testing.conformance.async_connections import Connections
from riverqueue.testing.conformance.async_inserts import Inserts
from riverqueue.testing.conformance.async_jobs import Jobs
from riverqueue.testing.conformance.async_lists import Lists
from riverqueue.testing.conformance.async_notifications import Notifications
from riverqueue.testing.conformance.async_queues import Queues
from riverqueue.testing.conformance.async_servers import Servers
from riverqueue.testing.conformance.async_transactions import Transactions
from riverqueue.testing.conformance.async_unique import Unique
from riverqueue.testing.conformance.async_values import Values


class AsyncDriverConformance(
    Values, Transactions, Inserts, Unique, Jobs, Lists, Queues, Notifications, Servers, Connections, Cancellation
):
    """All that is asked of a driver on an event loop; subclass it, and override what `AsyncHarness` lists."""
