"""Puts a client's worker together from its options; imported when a client starts to work, not before."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from riverqueue.clock import Clock
from riverqueue.hooks import Extensions
from riverqueue.runtime.calls import Calls
from riverqueue.runtime.deadlines import Deadlines
from riverqueue.runtime.job_executor import Settings
from riverqueue.runtime.processes import Processes
from riverqueue.runtime.runner import Runner, RunnerConfig
from riverqueue.runtime.store import Store
from riverqueue.runtime.subscriptions import Subscriptions
from riverqueue.runtime.threads import Threads
from riverqueue.work_options import WorkOptions


@dataclass(frozen=True, slots=True)
class Assembly:
    """What a worker is made of.

    Parameters:
        client: The client, as its jobs find it.
        client_id: What it is called.
        schema: Schema of River's tables.
        options: What it works, and how.
        extensions: Its hooks and middleware.
        clock: Tells the time.
        now: The time, if a test sets it.
    """

    client: Any
    client_id: str
    schema: str | None
    options: WorkOptions
    extensions: Extensions
    clock: Clock
    now: Callable[[], datetime | None]

    def runner(self, store: Store, subscriptions: Subscriptions) -> Runner:
        """Make a worker, which runs once."""
        options = self.options
        config = RunnerConfig(
            client_id=self.client_id,
            schema=self.schema,
            workers=options.workers,
            queues=dict(options.queues),
            fetch_cooldown=options.fetch_cooldown,
            fetch_poll_interval=options.fetch_poll_interval,
            poll_only=options.poll_only,
            fetch_only_known_kinds=options.fetch_only_known_kinds,
            soft_stop_timeout=options.soft_stop_timeout,
            job_stuck_handler=options.job_stuck_handler,
            clock=self.clock,
            now=self.now,
        )
        return Runner(config, store, self._settings(), subscriptions)

    def _settings(self) -> Settings:
        options = self.options
        threads = Threads(asyncio.get_running_loop(), "riverqueue")
        processes = Processes(options.process_pool, options.process_units)
        return Settings(
            client=self.client,
            clock=self.clock,
            workers=options.workers,
            middleware=self.extensions.work_middleware,
            work_begin=self.extensions.work_begin,
            work_end=self.extensions.work_end,
            of_args=self.extensions.of_args,
            job_timeout=options.job_timeout,
            stuck_threshold=options.job_stuck_threshold,
            retry_policy=options.retry_policy_of(self.clock),
            error_handler=options.error_handler,
            calls=Calls(self.client, threads, processes),
            deadlines=Deadlines(),
            random_uniform=random.uniform,
        )
