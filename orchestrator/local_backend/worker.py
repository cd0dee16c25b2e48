"""The process that trains: it receives one job after another and reports to its parent.

It imports torch, which its parent does not need: `orchestrator.local_backend.execute` names this
module and does not import it.
"""

import os
import signal
import threading
import traceback
from multiprocessing import connection, parent_process
from multiprocessing.connection import Connection

from orchestrator.execution.jobs import ENDED
from trainable.storage.trial_folder import LostFolder
from trainable.trial.job import TrialJob
from trainable.trial.reports import Reporter
from trainable.trial.session import Session


def work(parent: Connection, gpus: str | None) -> None:
    """Train the jobs that arrive until the parent closes the connection.

    Args:
        parent: jobs arrive here, and every report is answered here.
        gpus: the GPUs to use, as CUDA_VISIBLE_DEVICES names them; None: what the environment says.
    """
    # The parent decides when a run ends: it answers the next report with False.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus
    try:
        while True:
            _train(TrialJob.from_config(parent.recv()), parent)
            parent.send(ENDED)
    except (EOFError, ConnectionError):  # the parent has ended
        return
    except Exception:  # the trial's folder tells what it was
        parent.send(traceback.format_exc())


def _train(job: TrialJob, parent: Connection) -> None:
    """Train a trial until it has ended, or the parent answers a report with False."""
    session = Session(job.config, job.folder, job.machine, job.place)
    try:
        reporter = Reporter(session, job.report_every)
        wanted = True
        while wanted:
            parent.send(reporter.next())
            wanted = parent.recv() and not session.finished
    except LostFolder as error:
        parent.send({"done": True, "lost": str(error)})
        parent.recv()
    finally:
        session.close()


def _follow_parent() -> None:
    """End this process as soon as its parent has died."""
    parent = parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os._exit(1)
