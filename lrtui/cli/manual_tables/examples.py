"""The bundled example scripts, as sections of a page."""

from __future__ import annotations

from lrtui.core.scenario.scenario_file import BUNDLED

RATES = "--lr 0.1 --lr 0.01 --lr 0.001"
EXAMPLES = {
    "plain_loop.py": ("A plain loop", f"plain_loop.py {RATES}"),
    "hf_trainer.py": ("Hugging Face Trainer", f"hf_trainer.py {RATES}"),
    "lightning_module.py": ("Lightning", f"lightning_module.py {RATES}"),
    "accelerate_loop.py": ("Accelerate", f"accelerate_loop.py {RATES}"),
    "torchrun_ddp.py": (
        "Several processes",
        f"{RATES} -- torchrun --standalone --nproc-per-node 2 torchrun_ddp.py",
    ),
}
"""Title and arguments of `lrtui race`, by file."""


def examples() -> str:
    """A section for each file of `scenarios/scripts/`, which must all be here."""
    folder = BUNDLED / "scripts"
    if unknown := {path.name for path in folder.glob("*.py")} ^ EXAMPLES.keys():
        raise ValueError(f"Expected each of {folder} in EXAMPLES: {', '.join(sorted(unknown))}")
    return "\n\n".join(
        f"## {title}\n\n```console\n$ lrtui race {arguments}\n```\n\n"
        f"```python\n# {name}\n{(folder / name).read_text(encoding='utf-8')}```"
        for name, (title, arguments) in EXAMPLES.items()
    )
