"""The demo's workers: what is done for each file and each function of the standard library."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from examples.stdlib import LIBRARY, DocumentFunction, FileIndex, IndexFile, functions
from riverqueue import Job, JobCancel, JobSnooze, Workers, record_output

workers = Workers()


@workers.work(IndexFile, transaction=True)
async def index_file(job: Job[IndexFile], tx: AsyncSession) -> None:
    """Write a row in the transaction in which the job is completed. Three files show what else may happen."""
    if job.args.path == "antigravity.py":
        raise JobCancel("it would open a browser")
    if job.args.path == "this.py" and job.attempt == 1:
        raise ConnectionError("the index is not there yet")
    if job.args.path == "zipapp.py" and "snoozes" not in job.metadata:
        raise JobSnooze(timedelta(seconds=1))
    found = list(functions(LIBRARY / job.args.path))
    tx.add(FileIndex(file_id=job.args.file_id, functions=len(found)))


@workers.work(DocumentFunction)
async def document_function(job: Job[DocumentFunction]) -> None:
    """Do next to nothing: there are thousands."""
    if job.args.name == "main":
        record_output({"documented": f"{job.args.path}:{job.args.line}"})
