"""The callback for Hugging Face's Trainer, with a small GPT-2 built from a config."""

import math

import pytest
import torch

from lrtui.core.protocol.commands import ScaleRate, Stop
from lrtui.core.protocol.events import Alerted, Ended, RateChanged
from support import training
from support.steering import Pauser, Steering, doubled_from, logged, newest, statuses

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")
from lrtui.integrations.huggingface import LrtuiCallback  # noqa: E402

pytestmark = pytest.mark.xdist_group("huggingface")

LONG = 600
"""More steps than any command needs."""
TEXT = torch.randint(32, (400,), generator=torch.Generator().manual_seed(1))
ROWS = [{"input_ids": row, "labels": row} for row in TEXT.unfold(0, 8, 4)]


class Trainer(transformers.Trainer):
    """Keeps the loss of each micro-batch as Trainer sees it; poisons the one of a step."""

    poisoned = None

    def training_step(self, model, inputs, *args, **kwargs):
        if self.state.global_step == self.poisoned:
            with torch.no_grad():
                model.lm_head.weight.fill_(math.nan)
        loss = super().training_step(model, inputs, *args, **kwargs)
        self.seen = [*getattr(self, "seen", []), (self.state.global_step, loss.item())]
        return loss


class EachStep(transformers.TrainerCallback):
    def __init__(self, act):
        self.act = act

    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop |= bool(self.act(state.global_step))


@pytest.fixture
def trainer(tmp_path):
    def make(*callbacks, steps=6, **args):
        torch.manual_seed(0)
        config = transformers.GPT2Config(
            vocab_size=32, n_positions=8, n_embd=8, n_layer=1, n_head=1
        )
        given = {
            "learning_rate": 0.01,
            "per_device_train_batch_size": 4,
            "logging_steps": 1,
            "report_to": "none",
            "save_strategy": "no",
            "use_cpu": True,
            "disable_tqdm": True,
            **args,
        }
        return Trainer(
            transformers.GPT2LMHeadModel(config),
            transformers.TrainingArguments(str(tmp_path / "out"), max_steps=steps, **given),
            train_dataset=ROWS,
            eval_dataset=ROWS[:4],
            callbacks=list(callbacks),
        )

    return make


def weights(trainer):
    return [parameter.detach().clone() for parameter in trainer.model.parameters()]


def test_recorded_losses_are_the_true_ones_with_accumulation(trainer, runs):
    made = trainer(LrtuiCallback(), gradient_accumulation_steps=3)
    made.train()
    sums = [0.0] * 6
    for step, loss in made.seen:
        sums[step] += loss
    assert len(made.seen) == 18
    assert newest(runs).column("loss") == sums
    assert newest(runs).started.total_steps == 6


def test_training_is_the_same_with_and_without_the_callback(trainer, runs):
    watched = trainer(LrtuiCallback())
    watched.train()
    bare = trainer()
    bare.train()
    assert all(map(torch.equal, weights(watched), weights(bare)))
    assert [loss for _, loss in bare.seen] == newest(runs).column("loss")


@pytest.mark.parametrize("optim", ["adamw_torch", "adamw_torch_fused", "sgd", "adafactor"])
def test_x2_on_the_dial_is_twice_the_rate(trainer, runs, optim):
    steering = Steering(runs, ScaleRate(0, 2.0))
    dialled = trainer(
        LrtuiCallback(), EachStep(lambda step: steering.step()), steps=LONG, optim=optim
    )
    dialled.train()
    ran = newest(runs)
    [turn], count = ran.of(RateChanged), dialled.state.global_step
    bare = trainer(EachStep(lambda step: step == count), steps=LONG, optim=optim)
    bare.create_optimizer()
    doubled_from(bare.optimizer, turn.step)
    bare.train()
    assert all(map(torch.equal, weights(dialled), weights(bare)))
    scheduled = [log["learning_rate"] for log in bare.state.log_history if "loss" in log]
    assert ran.column("applied_lr") == [
        rate * (2 if step >= turn.step else 1) for step, rate in enumerate(scheduled)
    ]
    assert count > turn.step + 3


def test_stop_ends_within_a_step_and_leaves_no_hooks(trainer, runs):
    steering, callback, asked = Steering(runs, Stop(0)), LrtuiCallback(), []
    backward = torch.autograd.backward

    def act(step):
        asked.append(callback.watch.stopped)
        steering.step()

    made = trainer(callback, EachStep(act), steps=LONG)
    made.train()
    ran = newest(runs)
    assert asked == [False] * (len(asked) - 1) + [True]
    assert len(ran.column("loss")) == made.state.global_step == len(asked) < LONG
    assert ran.of(Ended)[0].reason == "stopped"
    inner = made.optimizer.optimizer
    assert not inner._optimizer_step_pre_hooks
    assert not inner._optimizer_step_post_hooks
    assert torch.autograd.backward is backward


def test_pause_waits_before_a_step_and_resume_goes_on(trainer, runs):
    pauser = Pauser(runs)
    trainer(LrtuiCallback(), EachStep(lambda step: pauser.done), steps=LONG).train()
    assert pauser.done
    assert statuses(newest(runs)) == ["paused", "running"]


def test_nan_that_trainers_log_shows_as_zero_is_seen_at_its_step(trainer, runs):
    made = trainer(LrtuiCallback())
    made.poisoned = 3
    made.train()
    ran = newest(runs)
    logged = [log["loss"] for log in made.state.log_history if "loss" in log]
    assert logged[3:] == [0.0] * 3
    assert [math.isnan(loss) for loss in ran.column("loss")] == [False] * 3 + [True] * 3
    assert [(alert.kind, alert.step) for alert in ran.of(Alerted)] == [("nan", 3)]


def test_cosine_with_warmup_applies_the_rates_of_our_own_lane(trainer, runs):
    trainer(LrtuiCallback(), steps=20, lr_scheduler_type="cosine", warmup_steps=0.15).train()
    lane = {"lr": 0.01, "optimizer": "SGD", "schedule": "cosine(warmup_ratio=0.15)"}
    ours = training.train(training.make_race([lane], steps=20))
    assert newest(runs).column("applied_lr") == training.column(ours, "applied_lr")


def test_evaluations_and_epochs_are_logged_and_times_are_not(trainer, runs):
    trainer(LrtuiCallback(), eval_strategy="steps", eval_steps=3).train()
    found = logged(newest(runs))
    assert found.keys() == {"epoch", "eval_loss", "train_loss"}
    assert [step for step, _ in found["eval_loss"]] == [3, 6]
