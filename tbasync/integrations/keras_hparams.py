"""A callback of Keras that logs a trial's hyperparameters, with any backend."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import keras

from ..hparams._summaries import hparams, hparams_pb, session_end
from ..summary import SummaryWriter, create_file_writer
from ..writer import SummaryWriter as CoreWriter


class KerasCallback(keras.callbacks.Callback):
    """Logs the hyperparameters of one `model.fit()`, and that it has ended.

    The values are logged when the training begins, with the time at which it does. A callback serves one training.
    """

    def __init__(self, writer: Any, hparams: Mapping[Any, Any], trial_id: str | None = None) -> None:
        """Takes what is to be logged.

        Args:
            writer: a writer of `tbasync.summary`, a `tbasync.SummaryWriter`, or the directory of the trial, in
                which an event file is made, complete when the training has ended.
            hparams: as for `tbasync.hparams.hparams`.
            trial_id: names the trial; None is a hash of the values.

        Raises:
            TypeError: `writer` is none of these, or a value of `hparams` is of an unknown type.
            ValueError: two values have one name.
        """
        super().__init__()
        self._hparams = dict(hparams)
        self._trial_id = trial_id
        hparams_pb(self._hparams, trial_id)  # what is wrong with them is told before the training
        self._owned = isinstance(writer, (str, os.PathLike))
        self._writer: SummaryWriter | None = _writer_of(writer)

    def on_train_begin(self, logs: object = None) -> None:
        """Logs the values.

        Raises:
            RuntimeError: the callback has served a training already.
        """
        with self._current().as_default():
            hparams(self._hparams, self._trial_id)

    def on_train_end(self, logs: object = None) -> None:
        """Logs that the trial has ended, and waits until this is written."""
        writer = self._current()
        with writer.as_default():
            session_end()
        self._writer = None
        if self._owned:
            writer.close()
        else:
            writer.flush()

    def _current(self) -> SummaryWriter:
        if self._writer is None:
            raise RuntimeError(
                "this KerasCallback has served a training already: make another one for the next"
            )
        return self._writer


def _writer_of(writer: Any) -> SummaryWriter:
    if isinstance(writer, (str, os.PathLike)):
        return create_file_writer(writer)
    if isinstance(writer, CoreWriter):
        return SummaryWriter(writer)
    if isinstance(writer, SummaryWriter):
        return writer
    raise TypeError(
        f"writer must be a directory or a writer of tbasync, got {type(writer).__name__}: {writer!r}"
    )
