"""A script started with lrtui's sitecustomize on its path: seeds, hooks, other interpreters."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import lrtui
from lrtui.core.protocol.events import Alerted, Started, Steps
from lrtui.store.writer import create_run
from support.scripts import LIMIT_S, environment, record, run_script, script_race

TRAIN = """
import json, sys
import torch
from torch import nn
model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x = torch.randn(16, 3)
for step in range(12):
    optimizer.zero_grad()
    loss = model(x).square().mean() * (float("nan") if step == NAN else 1)
    loss.backward()
    optimizer.step()
    print(json.dumps(loss.item()))
"""


@pytest.fixture
def script(tmp_path):
    """Writes a script; returns its path."""

    def write(text, name="train.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def losses(ran):
    return [json.loads(line) for line in ran.out.splitlines()]


def test_a_script_is_recorded_as_it_prints_itself(script, tmp_path):
    ran = run_script(script_race(script("NAN = -1\n" + TRAIN)), tmp_path / "runs")
    assert (ran.code, ran.err) == (0, "")
    assert ran.column("loss") == losses(ran)
    assert ran.started.optimizer == "SGD"


def test_losses_are_those_of_the_script_alone(script, tmp_path):
    path = script("NAN = -1\nimport torch\ntorch.manual_seed(5)\n" + TRAIN)
    alone = subprocess.run(
        [sys.executable, str(path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    ran = run_script(script_race(path, seeded=False), tmp_path / "runs")
    assert ran.out == alone.stdout


def test_nan_is_told_at_its_step(script, tmp_path):
    ran = run_script(script_race(script("NAN = 7\n" + TRAIN)), tmp_path / "runs")
    assert [alert.step for alert in ran.of(Alerted)] == [7]
    assert len(ran.column("loss")) == 12
    stopped = run_script(script_race(script("NAN = 7\n" + TRAIN), on_nan="stop"), tmp_path / "runs")
    assert stopped.err.startswith("lrtui: the script ends here: loss nan at step 7")
    assert len(stopped.err.splitlines()) == 1
    assert len(stopped.column("loss")) < 12


SEEDS = """
import json, random
import numpy, torch
print(json.dumps([random.random(), numpy.random.rand(), torch.rand(1).item(), hash("a string")]))
"""


def test_generators_are_seeded_before_the_first_line(script, tmp_path):
    path = script(SEEDS)
    one, same = (
        run_script(script_race(path, seed=3), tmp_path / "runs", env={"PYTHONHASHSEED": "3"})
        for _ in range(2)
    )
    other = run_script(script_race(path, seed=4), tmp_path / "runs")
    rank = run_script(script_race(path, seed=3), tmp_path / "runs", env={"RANK": "1"})
    free = run_script(script_race(path, seeded=False), tmp_path / "runs")
    assert losses(one) == losses(same)
    assert losses(rank)[0][:3] == losses(other)[0][:3] != losses(one)[0][:3]
    assert losses(free)[0][2] not in (losses(one)[0][2], losses(other)[0][2])


def test_numpy_alone_is_seeded_without_torch(script, tmp_path):
    path = script("import numpy, sys\nprint([numpy.random.rand(), 'torch' in sys.modules])\n")
    one, other = (run_script(script_race(path, seed=3), tmp_path / "runs") for _ in range(2))
    assert one.out == other.out
    assert "False" in one.out


def test_a_script_without_torch_imports_nothing_of_it_nor_of_lrtui(script, tmp_path):
    path = script(
        "import sys\nprint([name for name in sys.modules"
        " if name.split('.')[0] in ('torch', 'lrtui', 'numpy', 'msgspec')])\n"
    )
    ran = run_script(script_race(path), tmp_path / "runs")
    assert (ran.out, ran.err, ran.events) == ("[]\n", "", [])


@pytest.mark.parametrize("name", ["random", "numpy", "torch"])
def test_a_module_of_the_scripts_own_may_have_any_name(script, tmp_path, name):
    script("MINE = 1\n", name=f"{name}.py")
    path = script(f"import {name}\nprint({name}.MINE)\n")
    ran = run_script(script_race(path), tmp_path / "runs")
    assert (ran.code, ran.out) == (0, "1\n")


def test_a_child_that_was_forked_trains_on_record(script, tmp_path):
    train = "".join(f"    {line}\n" for line in TRAIN.splitlines())
    path = script(
        "import multiprocessing, sys, torch\nNAN = -1\ndef job():\n"
        + train
        + "child = multiprocessing.get_context('fork').Process(target=job)\n"
        + "child.start(), child.join()\n"
        + "sys.exit(child.exitcode)\n"
    )
    ran = run_script(script_race(path), tmp_path / "runs")
    assert (ran.code, ran.err) == (0, "")
    assert ran.column("loss") == losses(ran)


def test_a_sitecustomize_that_was_there_before_still_runs(script, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import builtins\nbuiltins.before = 'it ran'\n")
    env = environment(tmp_path, 0)["PYTHONPATH"]
    path = script("print(before)\n")
    ran = run_script(
        script_race(path), tmp_path / "runs", env={"PYTHONPATH": f"{env}{os.pathsep}{folder}"}
    )
    assert ran.out == "it ran\n"


def test_one_that_fails_fails_as_it_would_alone(script, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("raise ValueError('of its own')\n")
    path = script("print('the script runs')\n")
    env = {**os.environ, "PYTHONPATH": str(folder)}
    alone = subprocess.run(
        [sys.executable, str(path)], env=env, capture_output=True, text=True, check=False
    )
    inject = environment(tmp_path, 0)["PYTHONPATH"]
    ran = run_script(
        script_race(path), tmp_path / "runs", env={"PYTHONPATH": f"{inject}{os.pathsep}{folder}"}
    )
    assert (ran.code, ran.out) == (alone.returncode, alone.stdout)
    assert "of its own" in ran.err


def test_lrtui_is_found_for_an_interpreter_that_has_only_torch(script, tmp_path):
    """An environment of its own, with torch on its path and nothing of lrtui."""
    venv.create(tmp_path / "own", with_pip=False)
    torch_only = tmp_path / "site"
    torch_only.mkdir()
    places = {Path(entry) for entry in sys.path if (Path(entry) / "torch").is_dir()}
    [site, *_] = places
    hidden = ("lrtui", "msgspec", "psutil", "platformdirs", "sitecustomize")
    for entry in site.iterdir():
        if not entry.name.startswith(hidden) and entry.suffix != ".pth":
            (torch_only / entry.name).symlink_to(entry)
    path = script("NAN = -1\n" + TRAIN)
    inject = environment(tmp_path, 0)["PYTHONPATH"].split(os.pathsep)[0]
    needed = [str(Path(lrtui.__file__).parents[1]), str(site)]
    own = {"PYTHONPATH": f"{inject}{os.pathsep}{torch_only}", "LRTUI_PATH": os.pathsep.join(needed)}
    argv = [str(tmp_path / "own" / "bin" / "python"), str(path)]
    ran = run_script(script_race(path), tmp_path / "runs", env=own, argv=argv)
    assert ran.err == ""
    assert ran.column("loss") == losses(ran)
    without = run_script(
        script_race(path), tmp_path / "runs", env={**own, "LRTUI_PATH": ""}, argv=argv
    )
    assert without.code == 0
    assert "runs unwatched" in without.err
    assert len(without.err.splitlines()) == 1


def test_a_second_process_of_the_script_does_not_disturb_the_record(script, tmp_path):
    path = script(
        "NAN = -1\n"
        + TRAIN
        + "import os, subprocess\n"
        + "if len(sys.argv) < 2: subprocess.run([sys.executable, __file__, 'again'], check=True)\n"
    )
    ran = run_script(script_race(path), tmp_path / "runs")
    assert ran.code == 0
    assert len(losses(ran)) == 24
    assert ran.column("loss") == losses(ran)[:12]
    assert "has the lane already" in ran.err


def test_a_process_that_does_not_step_leaves_the_lane_to_the_one_that_does(script, tmp_path):
    path = script(
        "import subprocess, sys, torch\n"
        "if len(sys.argv) < 2:\n"
        "    subprocess.run([sys.executable, __file__, 'train'], check=True)\n"
        "    sys.exit()\n"
        "NAN = -1\n" + TRAIN
    )
    ran = run_script(script_race(path), tmp_path / "runs")
    assert ran.column("loss") == losses(ran)


@pytest.mark.parametrize(
    "fault",
    [
        "shutil.rmtree(os.environ['LRTUI_RUN'])",
        "open(os.environ['LRTUI_RUN'] + '/run.db', 'wb').write(b'no database')",
        "os.rename(os.environ['LRTUI_RUN'], os.environ['LRTUI_RUN'] + '-moved')",
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)); signal.signal(signal.SIGXFSZ, signal.SIG_IGN)",
    ],
)
def test_a_broken_store_leaves_the_script_alone(script, tmp_path, fault):
    broken = TRAIN.replace(
        "    optimizer.zero_grad()\n", f"    if step == 5: {fault}\n    optimizer.zero_grad()\n"
    )
    imports = "import os, resource, shutil, signal\nNAN = -1\n"
    alone = run_script(script_race(script("NAN = -1\n" + TRAIN)), tmp_path / "runs")
    race = script_race(script(imports + broken, "broken.py"))
    run = create_run(tmp_path / "runs", race)
    ran = subprocess.run(
        race.script.command_of(race.lanes[0]),
        env=environment(run, 0, race.seed),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == alone.out


def test_a_run_that_is_not_there_leaves_the_script_alone(script, tmp_path):
    path = script("NAN = -1\n" + TRAIN)
    ran = subprocess.run(
        [sys.executable, str(path)],
        env=environment(tmp_path / "gone", 0, 0),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert ran.returncode == 0
    assert len(ran.stdout.splitlines()) == 12
    assert "runs unwatched" in ran.stderr


def test_lrtui_off_in_the_environment_hooks_nothing(script, tmp_path):
    path = script("NAN = -1\n" + TRAIN)
    ran = run_script(script_race(path), tmp_path / "runs", env={"LRTUI": "off"})
    assert (ran.code, ran.events) == (0, [])


def test_the_last_steps_are_recorded_when_the_script_raises(script, tmp_path):
    path = script("NAN = -1\n" + TRAIN + "raise ValueError('at the end')\n")
    ran = run_script(script_race(path), tmp_path / "runs")
    assert ran.code == 1
    assert ran.column("loss") == losses(ran)
    assert "at the end" in ran.err


def test_a_budget_ends_the_script_with_one_line(script, tmp_path):
    path = script("NAN = -1\n" + TRAIN)
    ran = run_script(script_race(path, steps=5), tmp_path / "runs")
    assert len(ran.column("loss")) == 5
    assert ran.err.splitlines() == ["lrtui: the script ends here: the budget is used up, at step 5"]


def test_two_lanes_of_one_run_write_side_by_side(script, tmp_path):
    race = script_race(script("NAN = -1\n" + TRAIN), 0.1, 0.01)
    run = create_run(tmp_path / "runs", race)
    processes = [
        subprocess.Popen(
            race.script.command_of(lane), env=environment(run, index, 0), stdout=subprocess.PIPE
        )
        for index, lane in enumerate(race.lanes)
    ]
    for process in processes:
        process.communicate(timeout=LIMIT_S)
    for index, rate in enumerate((0.1, 0.01)):
        events = record(run, index)
        assert [event.role for event in events if isinstance(event, Started)] == [
            f"trainer {index}"
        ]
        blocks = [event for event in events if isinstance(event, Steps)]
        rates = [value for block in blocks for value in block.values("applied_lr").tolist()]
        assert rates == pytest.approx([rate] * 12)
