"""Working jobs for programs without an event loop: the worker has one of its own, in a thread."""

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from riverqueue import client_id
from riverqueue.events import BUFFER, EventKind
from riverqueue.faces.base import Base, BeginT, TxT
from riverqueue.hooks import Extensions
from riverqueue.queue_config import QueueConfig
from riverqueue.work_options import WorkOptions

if TYPE_CHECKING:  # a program that only inserts does not import the worker
    from riverqueue.runtime.background import Background
    from riverqueue.runtime.counts import RunCounts
    from riverqueue.runtime.subscriptions import Subscription, Subscriptions


class RunHandle:
    """A client at work."""

    def __init__(self, client: "Work[Any, Any]", background: "Background") -> None:
        self._client = client
        self.background = background

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the client has stopped, at most so many seconds; tell whether it has."""
        return self.background.stopped.wait(timeout)

    def stop(self) -> None:
        """Stop as ``Client.stop`` does."""
        self._client._end(self)

    def stop_and_cancel(self) -> None:
        """Stop as ``Client.stop_and_cancel`` does."""
        self.background.cancel()
        self._client._end(self)

    def counts(self) -> "RunCounts":
        """Count what the client has done since it started."""
        return self.background.counts()


class Work(Base[TxT, BeginT]):
    """The methods that work jobs; `riverqueue.Client` says what the options are."""

    def _init_work(self, options: WorkOptions, extensions: Extensions) -> None:
        self._options = options
        self._work_extensions = extensions
        self._id = client_id.generated(self._clock.now()) if options.id is None else client_id.checked(options.id)
        self._lock = threading.RLock()
        self._subscribed: Subscriptions | None = None
        self._handle: RunHandle | None = None

    @property
    def id(self) -> str:
        """What this client is called, in ``attempted_by`` of the jobs that it works."""
        return self._id

    def start(self) -> RunHandle:
        """Begin to work jobs, in threads. Does nothing if that has begun already; waits for a stop, and begins anew.

        Returns:
            The run, to be waited for or stopped.

        Raises:
            ConfigurationError: if there are no queues or no workers, or the driver cannot be used for that.
            UnavailableError: if no connection can be had.
            SchemaError: if River's tables are missing or too old.
        """
        self._options.check_can_work(self.driver)
        ending = self._handle
        if ending is not None and ending.background.is_stopping:
            ending.stop()  # without the lock, which its jobs may need to end
        with self._lock:
            if self._handle is None:
                background = self._new_background()
                self._handle = RunHandle(self, background)
            return self._handle

    def stop(self) -> None:
        """Begin no more jobs, wait until those that run have ended, and store how they did.

        After ``soft_stop_timeout``, if there is one, the running ones are cancelled. Does nothing if it does not work.
        """
        handle = self._begun()
        if handle is not None:
            handle.stop()

    def stop_and_cancel(self) -> None:
        """Stop, and cancel the running jobs at once.

        A job that lets the cancellation out is available again, and the attempt does not count. A plain function
        must look at ``work_context().cancelled`` by itself.
        """
        handle = self._begun()
        if handle is not None:
            handle.stop_and_cancel()

    def stopped(self, timeout: float | None = None) -> bool:
        """Wait until the client has stopped, at most so many seconds; tell whether it has, or does not work at all."""
        handle = self._handle
        return handle is None or handle.wait(timeout)

    def run(self) -> None:
        """Work jobs until a signal asks to stop, SIGTERM or SIGINT; to be called in the main thread.

        The first signal stops, the second cancels the running jobs.
        """
        from riverqueue.runtime.background import heard_signals

        handle = self.start()
        with heard_signals(handle.background):
            handle.wait()
        handle.stop()

    def subscribe(self, *kinds: EventKind | str, buffer: int = BUFFER) -> "Subscription":
        """Have this client's events told: what became of the jobs that it worked, and queues paused or resumed.

        Parameters:
            kinds: Which; default: all.
            buffer: How many may be unread before new ones are dropped.

        Raises:
            ConfigurationError: if a kind is unknown, or this client works no jobs.
        """
        from riverqueue.runtime.subscriptions import Subscription

        self._options.check_works()
        subscription = Subscription(kinds, buffer)
        self._subscriptions().add(subscription)
        return subscription

    def queue_add(self, name: str, config: QueueConfig | int) -> None:
        """Work one queue more, from now on.

        Parameters:
            name: Its name.
            config: How; a number is that of its workers.

        Raises:
            ConfigurationError: if this client works it already, or works no jobs.
        """
        with self._lock:
            name, config = self._options.checked_new_queue(name, config)
            if self._handle is not None:
                self._handle.background.add_queue(name, config)
            self._options.queues[name] = config

    def queue_remove(self, name: str) -> None:
        """Work a queue no more; returns when its running jobs have ended.

        Parameters:
            name: Its name.

        Raises:
            ConfigurationError: if this client does not work it.
        """
        with self._lock:
            self._options.check_has_queue(name)
            del self._options.queues[name]
            handle = self._handle
        if handle is not None:
            handle.background.remove_queue(name)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _end(self, handle: RunHandle) -> None:
        handle.background.stop()
        with self._lock:
            if self._handle is handle:
                self._handle = None

    def _begun(self) -> RunHandle | None:
        """Return the run; one that is about to begin, once it has."""
        if self._handle is None:
            with self._lock:
                pass
        return self._handle

    def _subscriptions(self) -> "Subscriptions":
        from riverqueue.runtime.subscriptions import Subscriptions

        with self._lock:
            if self._subscribed is None:
                self._subscribed = Subscriptions()
            return self._subscribed

    def _new_background(self) -> "Background":
        from riverqueue.runtime.assembly import Assembly
        from riverqueue.runtime.background import Background

        parts = Assembly(self, self._id, self._schema, self._options, self._work_extensions, self._clock, self._now)
        return Background(parts, self._database, self._subscriptions())
