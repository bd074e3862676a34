"""mmengine's log, taken from standard output and handed to the standard logging module."""

from __future__ import annotations

import logging

from mmengine.logging import MMLogger

LOG = logging.getLogger("stages.lib.detectors.mmengine")


class _Forward(logging.Handler):
    """Passes records on to `LOG`; information becomes debug output, for mmengine is talkative."""

    def emit(self, record: logging.LogRecord) -> None:
        level = record.levelno if record.levelno >= logging.WARNING else logging.DEBUG
        LOG.log(level, "%s", record.getMessage().strip())


def quiet_logger(name: str = "mmengine") -> MMLogger:
    """mmengine's current logger from now on, without its handlers for standard output and files."""
    logger = MMLogger.get_instance(name)
    logger.handlers[:] = [_Forward()]
    return logger
