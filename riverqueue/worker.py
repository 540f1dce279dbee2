"""Who works a job (River's ``worker.go``)."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Generic, Literal, Protocol, TypeAlias, TypeVar

from riverqueue.driver import TransactionOptions
from riverqueue.insert_opts import InsertOpts
from riverqueue.jobs import ArgsT, Job, JobRow

#: Where a worker's function runs: on the event loop, in a thread, or in a process of its own.
ExecutorKind: TypeAlias = Literal["loop", "thread", "process"]

#: A timeout that is none.
NO_TIMEOUT = timedelta(-1)

#: Of `TransactionalWorker`: the type of the transaction, for example SQLAlchemy's ``AsyncSession``.
WorkTxT = TypeVar("WorkTxT")


class WorkMiddleware(Protocol):
    """Wraps the work of one job."""

    async def work(self, job: JobRow, inner: Callable[[], Awaitable[None]], /) -> None:
        """Do something, await ``inner()``; what it raises is the outcome of the work."""
        ...


class WorkBeginHook(Protocol):
    """Called before a job is worked; may refuse it by an exception."""

    def work_begin(self, job: JobRow, /) -> Awaitable[None] | None:
        """Look at one job."""
        ...


class WorkEndHook(Protocol):
    """Called when a job has been worked."""

    def work_end(
        self, job: JobRow, error: BaseException | None, /
    ) -> Awaitable[BaseException | None] | BaseException | None:
        """Look at what was raised, and return it, another error, or None: then the work ended well."""
        ...


class ErrorHandler(Protocol):
    """Called when an attempt has failed, before that is stored."""

    def handle_error(self, job: JobRow, error: BaseException, /) -> Awaitable[bool | None] | bool | None:
        """Look at an error; return True to cancel the job rather than trying it again."""
        ...


#: Decides about a job that goes on long after its time: True lets another begin in its place.
JobStuckHandler: TypeAlias = Callable[[JobRow], bool | None]


class BaseWorker(Generic[ArgsT]):
    """What all workers may say of the jobs of their kind.

    Attributes:
        kind: The kind; default: that of the args' class.
        kind_aliases: Other kinds that it works, such as former names.
        executor: Where ``work`` runs: ``loop``, ``thread`` or ``process``; default: what the queue says, or else on the
            loop if it is a coroutine function, in a thread if not.
        insert_opts: How such jobs are inserted by a client that has this worker, where neither the insert nor the
            args' class says otherwise.
    """

    kind: ClassVar[str | None] = None
    kind_aliases: ClassVar[Sequence[str]] = ()
    executor: ClassVar[ExecutorKind | None] = None
    insert_opts: ClassVar[InsertOpts | None] = None

    def timeout(self, job: Job[ArgsT]) -> timedelta | None:  # noqa: ARG002  (for subclasses)
        """Return how long the work may take: None is as long as the client says, `NO_TIMEOUT` for ever."""
        return None

    def next_retry(self, job: Job[ArgsT]) -> datetime | None:  # noqa: ARG002  (for subclasses)
        """Return when to try again after an error; None is when the client's retry policy says."""
        return None

    def middleware(self, job: JobRow) -> Sequence[WorkMiddleware]:  # noqa: ARG002  (for subclasses)
        """Return what wraps the work of a job, outermost first; the client's own are inside of them."""
        return ()

    def hooks(self, job: JobRow) -> Sequence[WorkBeginHook | WorkEndHook]:  # noqa: ARG002  (for subclasses)
        """Return what is called before and after the work of a job, after the client's own."""
        return ()


class Worker(BaseWorker[ArgsT]):
    """Works the jobs of one kind. Subclass it with the type of their args, and write `work`.

    ::

        class SortWorker(Worker[SortArgs]):
            async def work(self, job: Job[SortArgs]) -> None:
                ...

    A plain ``def work`` runs in a thread, so that it does not hold up other jobs; or in a process of its own, with
    ``executor = "process"``.
    """

    def work(self, job: Job[ArgsT]) -> Awaitable[None] | None:
        """Work one job; return when it is done, raise if it cannot be.

        Parameters:
            job: The job, with its args.

        Raises:
            JobCancel: to cancel the job.
            JobSnooze: to put it off.
            Exception: any other is stored as the attempt's error, and the job is tried again.
        """
        raise NotImplementedError(f"{type(self).__name__} has no work(self, job)")


class TransactionalWorker(BaseWorker[ArgsT], Generic[ArgsT, WorkTxT]):
    """Works the jobs of one kind in a transaction that the client begins, and in which the job is completed.

    ::

        class ChargeWorker(TransactionalWorker[ChargeArgs, AsyncSession]):
            async def work(self, job: Job[ChargeArgs], tx: AsyncSession) -> None:
                ...

    What `work` writes and the job's completion are committed together when it returns, or rolled back together when it
    raises. See `Client.transaction` for the type of the transaction.

    Attributes:
        transaction: How to begin it.
    """

    transaction: ClassVar[TransactionOptions] = TransactionOptions()

    def work(self, job: Job[ArgsT], tx: WorkTxT) -> Awaitable[None] | None:
        """Work one job; return when it is done, raise if it cannot be.

        Parameters:
            job: The job, with its args.
            tx: To write with; committed when this returns.

        Raises:
            JobCancel: to cancel the job.
            JobSnooze: to put it off.
            Exception: any other is stored as the attempt's error, and the job is tried again.
        """
        raise NotImplementedError(f"{type(self).__name__} has no work(self, job, tx)")
