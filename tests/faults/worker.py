"""A program that works jobs until it is asked to stop, or killed: ``python -m tests.faults.worker STACK URL ID``.

It says ``working``, and then the id of each job when that has had its effect.
"""

import asyncio
import sys

from tests.faults.support import client_of, driver_of, recording


async def main(stack: str, url: str, client_id: str) -> None:
    """Work until a signal."""
    workers = recording(stack, url, lambda job: print(job.id, flush=True))
    async with driver_of(stack, url) as driver:
        client = client_of(driver, workers, id=client_id)
        if stack == "psycopg2":
            client.start()
            print("working", flush=True)
            client.run()
        else:
            await client.start()
            running = asyncio.create_task(client.run())
            await asyncio.sleep(0)  # from here on, it hears signals
            print("working", flush=True)
            await running


asyncio.run(main(*sys.argv[1:]))
