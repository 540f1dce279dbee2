"""The suite for sync drivers; the tests themselves are generated from the async ones."""

from riverqueue.testing.conformance.aborting import Aborting
from riverqueue.testing.conformance.connections import Connections
from riverqueue.testing.conformance.inserts import Inserts
from riverqueue.testing.conformance.jobs import Jobs
from riverqueue.testing.conformance.lists import Lists
from riverqueue.testing.conformance.notifications import Notifications
from riverqueue.testing.conformance.queues import Queues
from riverqueue.testing.conformance.servers import Servers
from riverqueue.testing.conformance.transactions import Transactions
from riverqueue.testing.conformance.unique import Unique
from riverqueue.testing.conformance.values import Values


class DriverConformance(
    Values, Transactions, Inserts, Unique, Jobs, Lists, Queues, Notifications, Servers, Connections, Aborting
):
    """All that is asked of a driver; subclass it, and override what `Harness` lists."""
