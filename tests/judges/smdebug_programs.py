"""smdebug's action that stops a job when a rule fires; run in its own environment by desk.py, or as a job's program."""

from __future__ import annotations

import os
import signal

from smdebug.rules.action.stop_training_action import StopTrainingAction


def stop_training(prefix: str) -> None:
    """Stop the one job in progress whose name begins so."""
    StopTrainingAction("loss_not_decreasing", prefix).invoke("the loss does not decrease")


if __name__ == "__main__":  # as a job: it stops itself, and waits to be told
    stop_training(os.environ["TRAINING_JOB_NAME"])
    signal.pause()
