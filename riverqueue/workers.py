"""The workers of a client, by the kind of their jobs (River's ``Workers``)."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, TypedDict, TypeVar, Unpack, get_args, get_origin, overload

from riverqueue import worker_functions
from riverqueue.args_decoding import decoder
from riverqueue.driver import TransactionOptions
from riverqueue.errors import ConfigurationError, InvalidJobError, UnknownJobKindError
from riverqueue.insert_opts import InsertOpts
from riverqueue.job_args import checked_kind
from riverqueue.jobs import ArgsT, Job, JobRow
from riverqueue.worker import (
    BaseWorker,
    ExecutorKind,
    TransactionalWorker,
    WorkBeginHook,
    WorkEndHook,
    Worker,
    WorkMiddleware,
    WorkTxT,
)

ResultT = TypeVar("ResultT", bound=Awaitable[None] | None)
WorkerT = TypeVar("WorkerT", bound=BaseWorker[Any])


@dataclass(frozen=True, slots=True)
class WorkUnit:
    """A registered worker, ready to be run.

    Parameters:
        kind: The kind of the jobs.
        worker: The worker.
        function: Works a job.
        decode: Makes args of their JSON value.
        args_type: What it makes.
        executor: Where the function is to run; None is where its queue says.
        transaction: How to begin the transaction that the function is given; None if it is given none.
        is_coroutine: Whether the function is a coroutine function.
    """

    kind: str
    worker: BaseWorker[Any]
    function: Callable[..., Any]
    decode: Callable[[dict[str, Any]], Any]
    args_type: Any
    executor: ExecutorKind | None
    transaction: TransactionOptions | None
    is_coroutine: bool


class _Options(TypedDict, Generic[ArgsT], total=False):
    """What `Workers.work` may be told of a function."""

    timeout: timedelta | None
    next_retry: Callable[[Job[ArgsT]], datetime | None] | None
    kind_aliases: Iterable[str]
    executor: ExecutorKind | None
    insert_opts: InsertOpts | None
    middleware: Iterable[WorkMiddleware]
    hooks: Iterable[WorkBeginHook | WorkEndHook]


class _FunctionWorker(BaseWorker[Any]):
    """Works jobs by a function."""

    def __init__(self, options: _Options[Any]) -> None:
        self._timeout = options.get("timeout")
        self._next_retry = options.get("next_retry")
        self._middleware = tuple(options.get("middleware", ()))
        self._hooks = tuple(options.get("hooks", ()))

    def timeout(self, job: Job[Any]) -> timedelta | None:  # noqa: ARG002  (the same for all)
        return self._timeout

    def next_retry(self, job: Job[Any]) -> datetime | None:
        return None if self._next_retry is None else self._next_retry(job)

    def middleware(self, job: JobRow) -> Sequence[WorkMiddleware]:  # noqa: ARG002  (the same for all)
        return self._middleware

    def hooks(self, job: JobRow) -> Sequence[WorkBeginHook | WorkEndHook]:  # noqa: ARG002  (the same for all)
        return self._hooks


class Workers:
    """The workers of a client, by the kind of their jobs; register all of them before the client is made."""

    def __init__(self) -> None:
        self._units: dict[str, WorkUnit] = {}
        self._insert_opts: dict[str, InsertOpts] = {}

    @overload
    def work(
        self, args_type: type[ArgsT], *, transaction: Literal[False] = False, **options: Unpack[_Options[ArgsT]]
    ) -> Callable[[Callable[[Job[ArgsT]], ResultT]], Callable[[Job[ArgsT]], ResultT]]: ...

    @overload
    def work(
        self, args_type: str, *, transaction: Literal[False] = False, **options: Unpack[_Options[dict[str, Any]]]
    ) -> Callable[[Callable[[Job[dict[str, Any]]], ResultT]], Callable[[Job[dict[str, Any]]], ResultT]]: ...

    @overload
    def work(
        self,
        args_type: type[ArgsT],
        *,
        transaction: Literal[True] | TransactionOptions,
        **options: Unpack[_Options[ArgsT]],
    ) -> Callable[[Callable[[Job[ArgsT], WorkTxT], ResultT]], Callable[[Job[ArgsT], WorkTxT], ResultT]]: ...

    @overload
    def work(
        self,
        args_type: str,
        *,
        transaction: Literal[True] | TransactionOptions,
        **options: Unpack[_Options[dict[str, Any]]],
    ) -> Callable[
        [Callable[[Job[dict[str, Any]], WorkTxT], ResultT]], Callable[[Job[dict[str, Any]], WorkTxT], ResultT]
    ]: ...

    def work(
        self, args_type: Any, *, transaction: bool | TransactionOptions = False, **options: Unpack[_Options[Any]]
    ) -> Any:
        """Register a function that works the jobs of one kind; a decorator, which returns the function as it is.

        The function is given the job; see `Worker.work` for what it may raise.

        Parameters:
            args_type: The class of the args, which names the kind; or a kind, and the args are a dict.
            transaction: Give the function a transaction as well, in which the job is completed when it returns; see
                `TransactionalWorker`. True, or how to begin it.
            options: ``timeout``: how long the work may take; default: as long as the client says.
                ``next_retry``: given a failed job, returns when to try it again; None is when the client's retry policy
                says. ``kind_aliases``: other kinds that it works. ``executor``: where the function runs, ``loop``,
                ``thread`` or ``process``; default: what the queue says, or else on the loop if it is a coroutine
                function, in a thread if not. ``insert_opts``: how such jobs are inserted by a client that has this
                worker, where neither the insert nor the args' class says otherwise. ``middleware``: wrap the work,
                outermost first; the client's own are inside of them. ``hooks``: called before and after the work, after
                the client's own.

        Raises:
            ConfigurationError: if it cannot work such jobs, or another one does already.
        """
        unknown = options.keys() - _Options.__annotations__.keys()
        if unknown:
            raise ConfigurationError(
                f"workers.work has no option {min(unknown)!r}; it has {', '.join(_Options.__annotations__)}"
            )
        worker_functions.check_timeout(options.get("timeout"))
        kind, decoded = (args_type, dict) if isinstance(args_type, str) else (_kind_of(args_type), args_type)
        worker = _FunctionWorker(options)
        worker_functions.check_layers(worker)
        begins = _transaction(transaction)

        def register(function: Callable[..., Any]) -> Callable[..., Any]:
            if not callable(function):
                raise ConfigurationError(f"workers.work decorates a function, not {function!r}")
            aliases, executor = options.get("kind_aliases", ()), options.get("executor")
            self._register(kind, aliases, decoded, worker, function, executor, begins, options.get("insert_opts"))
            return function

        return register

    def add(self, worker: WorkerT, args_type: type[Any] | None = None) -> WorkerT:
        """Register a worker.

        Parameters:
            worker: An instance of a `Worker` or a `TransactionalWorker`.
            args_type: The class of the args; default: the one in ``Worker[…]``.

        Raises:
            ConfigurationError: if it cannot work such jobs, or another one does already.
        """
        if not isinstance(worker, Worker | TransactionalWorker):
            raise ConfigurationError(f"workers.add takes an instance of a Worker, not {worker!r}")
        args = args_type or _args_type(type(worker))
        kind = type(worker).kind or _kind_of(args)
        transaction = worker.transaction if isinstance(worker, TransactionalWorker) else None
        self._register(
            kind, worker.kind_aliases, args, worker, worker.work, worker.executor, transaction, worker.insert_opts
        )
        return worker

    def get(self, kind: str) -> WorkUnit | None:
        """Return who works a kind, if anybody does."""
        return self._units.get(kind)

    def insert_opts(self, kind: str) -> InsertOpts | None:
        """Return how jobs of a kind are inserted, if its worker says so.

        Raises:
            UnknownJobKindError: if there is no worker.
        """
        if self._units and kind not in self._units:
            raise UnknownJobKindError(kind, "register its worker, or make the client with skip_unknown_job_check=True")
        return self._insert_opts.get(kind)

    @property
    def kinds(self) -> list[str]:
        """All kinds that are worked, by name; aliases are among them."""
        return sorted(self._units)

    @property
    def units(self) -> list[WorkUnit]:
        """All workers, each once."""
        return list({id(unit): unit for unit in self._units.values()}.values())

    def __len__(self) -> int:
        return len(self._units)

    def _register(
        self,
        kind: str,
        aliases: Iterable[str],
        args_type: Any,
        worker: BaseWorker[Any],
        function: Callable[..., Any],
        executor: ExecutorKind | None,
        transaction: TransactionOptions | None,
        insert_opts: InsertOpts | None,
    ) -> None:
        kinds = [_checked_kind(kind), *map(_checked_kind, worker_functions.texts(aliases, "kind_aliases"))]
        for each in kinds:
            if each in self._units or kinds.count(each) > 1:
                raise ConfigurationError(f"worker for kind {each!r} is already registered")
        worker_functions.check(function, executor, transaction)
        if insert_opts is not None:
            if not isinstance(insert_opts, InsertOpts):
                raise ConfigurationError(f"insert_opts must be an InsertOpts, not {insert_opts!r}")
            self._insert_opts[kind] = insert_opts
        coroutine = worker_functions.is_coroutine(function)
        unit = WorkUnit(kind, worker, function, decoder(args_type), args_type, executor, transaction, coroutine)
        self._units.update(dict.fromkeys(kinds, unit))


class _AnyKind:
    """Knows the insert options of workers, and lets the kinds pass that have none.

    Parameters:
        workers: The workers.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def insert_opts(self, kind: str) -> InsertOpts | None:
        """Return how jobs of a kind are inserted, if its worker says so."""
        return self._workers.insert_opts(kind) if self._workers.get(kind) else None


def inserted_kinds(workers: Workers | None, any_kind: bool) -> Workers | _AnyKind | None:
    """Return what a client knows of the kinds that it inserts; None is nothing.

    Parameters:
        workers: Its workers.
        any_kind: Whether it inserts jobs that it has no worker for.
    """
    if workers is None:
        return None
    return _AnyKind(workers) if any_kind else workers


def _transaction(given: Any) -> TransactionOptions | None:
    if isinstance(given, TransactionOptions):
        return given
    if not isinstance(given, bool):
        raise ConfigurationError(f"transaction must be True, False or TransactionOptions, not {given!r}")
    return TransactionOptions() if given else None


def _checked_kind(kind: Any) -> str:
    try:
        return checked_kind(kind)
    except InvalidJobError as error:
        raise ConfigurationError(str(error)) from None


def _kind_of(args_type: Any) -> str:
    kind = getattr(args_type, "kind", None)
    if not isinstance(kind, str):
        name = getattr(args_type, "__name__", repr(args_type))
        raise ConfigurationError(f'{name} has no kind; add `kind: ClassVar[str] = "my_kind"` to the class')
    return kind


def _args_type(cls: type) -> Any:
    for base in cls.__mro__:
        for generic in getattr(base, "__orig_bases__", ()):
            if get_origin(generic) in (Worker, TransactionalWorker) and not isinstance(get_args(generic)[0], TypeVar):
                return get_args(generic)[0]
    raise ConfigurationError(
        f"{cls.__name__} does not say what args it works: write class {cls.__name__}(Worker[MyArgs])"
    )
