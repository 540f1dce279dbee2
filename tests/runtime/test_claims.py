"""Which jobs are fetched (River's ``JobGetAvailable``)."""

from datetime import UTC, datetime, timedelta

from riverqueue import EventKind


class LaterClock:
    """An hour ahead."""

    def now(self):
        return datetime.now(UTC) + timedelta(hours=1)


async def test_jobs_are_due_by_the_clients_clock(scene, register, db):
    @register
    async def work(job):
        pass

    due, not_due = await scene.insert(), await scene.insert()
    for job, minutes in ((due, 59), (not_due, 61)):
        db.execute("UPDATE river_job SET scheduled_at = now() + %s WHERE id = %s", [timedelta(minutes=minutes), job.id])
    async with scene.working(clock=LaterClock()) as (_, events):
        event = await events.get()
    assert (event.kind, event.job.id) == (EventKind.JOB_COMPLETED, due.id)
    assert db.execute("SELECT state::text FROM river_job WHERE id = %s", [not_due.id]).fetchone() == ("available",)
