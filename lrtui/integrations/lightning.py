"""A callback for Lightning's Trainer (`lightning` or `pytorch_lightning`).

    trainer = Trainer(max_epochs=3, callbacks=[LrtuiCallback()])

The optimizer's own hooks see losses and rates and turn the dial. The callback adds the length, what
the module logs, and a stop that lets Lightning end in order. Fabric needs no callback.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from lrtui.integrations.watch import Watch, watch

if TYPE_CHECKING:
    from lightning.pytorch import Callback, LightningModule, Trainer
else:
    try:
        from lightning.pytorch import Callback, LightningModule, Trainer
    except ImportError:
        from pytorch_lightning import Callback, LightningModule, Trainer


class LrtuiCallback(Callback):
    """Records and steers each `fit()` as a lane of its own."""

    def __init__(self, name: str = "") -> None:
        """`name`: of the run; "" is the module's class."""
        self._name = name
        self.watch: Watch | None = None
        self._logged: dict[str, float] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        total = trainer.estimated_stepping_batches
        one = len(trainer.optimizers) == 1 and pl_module.automatic_optimization
        self._logged = {}
        self.watch = watch(
            trainer.optimizers[0] if trainer.optimizers else None,
            steps=int(total) if one and math.isfinite(total) else None,
            name=self._name or type(pl_module).__name__,
            raise_on_stop=False,
        )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self.watch is None or not self.watch.stopped or trainer.should_stop:
            return
        trainer.should_stop = True
        if (trainer.min_epochs or 0) > trainer.current_epoch or (
            trainer.min_steps or 0
        ) > trainer.global_step:
            self.watch.note(
                "Lightning goes on to the end of an epoch:"
                f" min_epochs = {trainer.min_epochs}, min_steps = {trainer.min_steps}"
            )

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if not trainer.sanity_checking:
            self._log(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._log(trainer, epoch=trainer.current_epoch + 1)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.watch is not None:
            self.watch.finish()
            self.watch = None

    def _log(self, trainer: Trainer, **more: float) -> None:
        """Hands on what the module has logged and has changed since."""
        values = {key: float(value) for key, value in trainer.callback_metrics.items()}
        fresh = {key: value for key, value in values.items() if self._logged.get(key) != value}
        self._logged |= fresh
        if self.watch is not None:
            self.watch.log(**fresh, **more)
