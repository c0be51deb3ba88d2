"""A callback for Hugging Face's Trainer, and for TRL's trainers, which are made of it.

    trainer = Trainer(model, args, train_dataset=data, callbacks=[LrtuiCallback()])

The optimizer's own hooks see losses and rates and turn the dial. The callback adds the length, the
numbers that Trainer logs, and a stop that lets Trainer end in order.
"""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from lrtui.integrations.watch import Watch, watch

_SEEN = {"loss", "grad_norm", "learning_rate", "total_flos"}
"""Of Trainer's log: what is recorded of every step already, unfiltered; and what is no metric."""
_TIMES = ("_runtime", "_per_second")
_SHOWN = (
    "optim",
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
    "max_grad_norm",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "num_train_epochs",
)
"""Arguments that tell one run from another."""


class LrtuiCallback(TrainerCallback):
    """Records and steers each `train()` as a lane of its own."""

    def __init__(self, name: str = "") -> None:
        """`name`: of the run; "" is `run_name` of the arguments."""
        self._name = name
        self.watch: Watch | None = None

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        optimizer: Any = None,
        **kwargs: Any,
    ) -> None:
        self.watch = watch(
            optimizer,
            steps=state.max_steps,
            name=self._name or args.run_name or "",
            config={key: _plain(getattr(args, key)) for key in _SHOWN},
            raise_on_stop=False,
        )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.watch is not None and self.watch.stopped:
            control.should_training_stop = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Hands on evaluations, and whatever else Trainer or a trainer made of it logs."""
        if self.watch is not None:
            self.watch.log(
                **{
                    key: value
                    for key, value in (logs or {}).items()
                    if isinstance(value, int | float)
                    and key not in _SEEN
                    and not key.endswith(_TIMES)
                }
            )

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self.watch is not None:
            self.watch.finish()
            self.watch = None


def _plain(value: Any) -> Any:
    """A number as it is, anything else (an enum) as text."""
    return value if isinstance(value, bool | int | float) else str(getattr(value, "value", value))
