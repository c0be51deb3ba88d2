"""Scripts with a callback, started by `lrtui race`: the callback joins the lane of its process, and
the lane's rate is in force from the first step on, also where no optimizer is torch's. Fabric needs
no callback."""

import importlib.util
import json
import os
from pathlib import Path

import pytest

from support.command import curves, race
from support.scripts import LIMIT_S

pytestmark = pytest.mark.xdist_group("joined lanes")

XGBOOST = """
import json, numpy, xgboost
from lrtui.integrations.xgboost import LrtuiCallback

x = numpy.random.default_rng(0).normal(size=(60, 3))
data = xgboost.DMatrix(x, x.sum(1) ** 2)
told = {}
params = {"eta": 0.3, "max_depth": 2, "nthread": 1}
xgboost.train(params, data, 20, evals=[(data, "train")], evals_result=told, verbose_eval=False,
              callbacks=[LrtuiCallback()])
print(json.dumps(told["train"]["rmse"]))
"""
LIGHTGBM = """
import json, lightgbm, numpy
from lrtui.integrations.lightgbm import lrtui_callback

x = numpy.random.default_rng(0).normal(size=(120, 3))
data = lightgbm.Dataset(x, x.sum(1) ** 2)
told = {}
params = {"objective": "l2", "eta": 0.3, "num_leaves": 4, "num_threads": 1, "verbose": -1}
lightgbm.train(params, data, 20, valid_sets=[data],
               callbacks=[*lrtui_callback(), lightgbm.record_evaluation(told)])
print(json.dumps(told["training"]["l2"]))
"""
KERAS = """
import json, keras, numpy
from lrtui.integrations.keras import LrtuiCallback

x = numpy.random.default_rng(0).normal(size=(80, 3)).astype("float32")
inputs = keras.Input((3,))
model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
model.compile(keras.optimizers.SGD(0.3), "mse")
history = model.fit(x, x.sum(1, keepdims=True), batch_size=80, epochs=20, verbose=0,
                    callbacks=[LrtuiCallback()])
print(json.dumps(history.history["loss"]))
"""
HUGGINGFACE = """
import json, torch, transformers
from lrtui.integrations.huggingface import LrtuiCallback

text = torch.randint(32, (400,))
rows = [{"input_ids": row, "labels": row} for row in text.unfold(0, 8, 4)]
config = transformers.GPT2Config(vocab_size=32, n_positions=8, n_embd=8, n_layer=1, n_head=1)
args = transformers.TrainingArguments("out", max_steps=20, learning_rate=0.3, logging_steps=1,
    report_to="none", save_strategy="no", use_cpu=True, disable_tqdm=True, lr_scheduler_type="constant")
losses = []

class Trainer(transformers.Trainer):
    def training_step(self, *args, **kwargs):
        losses.append(super().training_step(*args, **kwargs).item())
        return torch.tensor(losses[-1])

Trainer(transformers.GPT2LMHeadModel(config), args, train_dataset=rows,
        callbacks=[LrtuiCallback()]).train()
print(json.dumps(losses))
"""
FABRIC = """
import json, lightning, torch
from torch import nn

fabric = lightning.Fabric(accelerator="cpu", devices=1)
model = nn.Linear(3, 1)
model, optimizer = fabric.setup(model, torch.optim.SGD(model.parameters(), lr=0.3))
losses = []
for _ in range(20):
    x = torch.randn(8, 3)
    loss = nn.functional.mse_loss(model(x), x.sum(1, keepdim=True))
    optimizer.zero_grad()
    fabric.backward(loss)
    optimizer.step()
    losses.append(loss.item())
print(json.dumps(losses))
"""


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("xgboost", XGBOOST),
        ("lightgbm", LIGHTGBM),
        ("keras", KERAS),
        ("transformers", HUGGINGFACE),
        ("lightning", FABRIC),
    ],
)
def test_training_is_the_lane_of_its_process_at_its_rate(tmp_path, package, source):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"could not import {package!r}")
    (tmp_path / "script.py").write_text(source)
    said = race(
        *("script.py", "--lr", "0.25", "--lr", "0.0625", "--json"),
        runs=tmp_path / "runs",
        cwd=tmp_path,
        env=os.environ | {"KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"},
        timeout=LIMIT_S,
    )
    assert said.code == 0, said.err + said.out
    lines = said.lines
    run = Path(lines[-1]["run"])
    assert list((tmp_path / "runs").iterdir()) == [run]
    found = curves(lines)
    for letter, rate in (("A", 0.25), ("B", 0.0625)):
        told = json.loads((run / f"script-{letter}.log").read_text().splitlines()[-1])
        assert found[letter, "applied_lr"] == pytest.approx([rate] * 20, rel=1e-6)
        assert found[letter, "loss"] == pytest.approx(told, rel=1e-6)
        assert len(told) == 20
    assert {line["steps"] for line in lines[-1]["lanes"]} == {20}
