"""Which optimizers and schedules there are and what options they take, read from torch's source without importing it.

Importing torch costs a second and more; listing scenarios and refusing a bad one must not. So classes, options and
defaults are found by parsing the files of the torch that is installed; `tests/training` holds the result equal to
what the imported torch says.
"""

from __future__ import annotations

import ast
import importlib.util
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from lrtui.core.errors import LrtuiError
from lrtui.core.spec import Interval

UNFIT = {"SparseAdam": "it takes sparse gradients only"}
"""Optimizers that cannot train a dense model, and why."""

COMPOSITE = {"SequentialLR", "ChainedScheduler"}
"""Schedules made of other schedules, given as a list under `schedulers`."""

WANTS_METRIC = {"ReduceLROnPlateau"}
"""Schedules that look at an epoch's loss: stepped by the epoch, and never part of another one."""

EXPRESSIONS = {"lr_lambda"}
"""Options that torch wants as functions: here an arithmetic expression (see core/expression.py), or the place of one."""

AUTO = {"T_max", "total_steps", "total_iters"}
"""Options that may be "auto": the length of the budget, counted in the schedule's interval."""

FROM_RATE = {"max_lr"}
"""Options that are the lane's own rate where they are missing."""

_HIDDEN = {"self", "params", "optimizer", "lr", "last_epoch", "schedulers", "scale_fn", "differentiable"}


class Option(msgspec.Struct, frozen=True):
    """One option of an optimizer or a schedule."""

    name: str
    required: bool = False
    types: frozenset[str] = frozenset()
    """Names in its annotation ("float", "tuple", ...); empty: any of them."""
    choices: tuple[str, ...] = ()
    """The strings that it may be, where there is a closed list."""

    def expected(self, value: Any) -> str:
        """What this option wants, in words, if `value` is not it; '' if it is."""
        if self.name in AUTO and value == "auto":
            return ""
        if self.choices:
            return "" if value in self.choices else "one of " + ", ".join(self.choices)
        accepted = [kind for name, kind in _KINDS.items() if name in self.types] or list(_KINDS.values())
        if any(fits(value) for _, fits in accepted):
            return ""
        return " or ".join(dict.fromkeys(words for words, _ in accepted)) + (', or "auto"' if self.name in AUTO else "")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_number(value: Any) -> bool:
    """Whether it can be stored and is worth a race: JSON holds no NaN and no infinity."""
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "int": ("a whole number", _is_whole),
    "float": ("a finite number", _is_number),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
    "str": ("a string", lambda v: isinstance(v, str)),
    "list": ("a list of numbers", _is_list),
    "tuple": ("a list of numbers", _is_list),
    "Iterable": ("a list of numbers", _is_list),
    "Callable": ("an expression such as \"0.95 ** epoch\"", lambda v: isinstance(v, str)),
}


class Signature(msgspec.Struct, frozen=True):
    """A class that a lane may name, and its options."""

    name: str
    options: dict[str, Option]
    interval: Interval = "epoch"
    """How often a schedule is stepped unless the scenario says otherwise (what its documentation asks for)."""


def _own(name: str, options: str, interval: Interval = "batch") -> Signature:
    """A schedule of ours: `options` as "name:type name:type", a `!` after a required one."""
    pairs = ([*word.rstrip("!").split(":"), word] for word in options.split())
    table = {key: Option(key, word.endswith("!"), frozenset({kind})) for key, kind, word in pairs}
    return Signature(name, table, interval)


_WARM = "warmup_steps:int warmup_ratio:float "
_OWN = [
    _own("inverse-time", "decay:float!"),
    _own("range-test", "to:float!"),
    _own("linear", _WARM),
    _own("cosine", _WARM + "num_cycles:float"),
    _own("cosine_with_restarts", _WARM + "num_cycles:int"),
    _own("polynomial", _WARM + "lr_end:float power:float"),
    _own("constant", ""),
    _own("constant_with_warmup", _WARM),
    _own("inverse_sqrt", _WARM + "timescale:int"),
    _own("cosine_with_min_lr", _WARM + "num_cycles:float min_lr:float min_lr_rate:float"),
    _own("warmup_stable_decay", _WARM + "num_decay_steps:int num_stable_steps:int min_lr_ratio:float num_cycles:float"),
]
"""inverse-time is lr0 / (1 + decay * t); range-test rises from the lane's rate to `to`, by the same factor at each step;
the others are the Hugging Face names with the formulas of its `optimization.py`. All are functions of the batch step."""


@cache
def optimizers() -> dict[str, Signature]:
    """Every optimizer of the installed torch that trains a dense model, by name."""
    classes = _classes([path for path in sorted(_torch_optim().glob("*.py")) if path.stem not in _NOT_OPTIMIZERS])
    return {name: Signature(name, _options(node, classes)) for name, node in sorted(classes.items())
            if not name.startswith("_") and name not in UNFIT and _descends(node, "Optimizer", classes)}


@cache
def schedules() -> dict[str, Signature]:
    """Every scheduler of the installed torch by name, then ours."""
    classes = _classes([_torch_optim() / "lr_scheduler.py"])
    found = {name: Signature(name, _options(node, classes), _interval(node)) for name, node in sorted(classes.items())
             if not name.startswith("_") and _descends(node, "LRScheduler", classes)}
    return found | {own.name: own for own in _OWN}


_NOT_OPTIMIZERS = {"__init__", "lr_scheduler", "swa_utils", "optimizer", "_functional", "_stateless"}


def _torch_optim() -> Path:
    spec = importlib.util.find_spec("torch")  # a top-level name: looked up, not imported
    if spec is None or not spec.submodule_search_locations:
        raise LrtuiError("torch is not installed", "install PyTorch in the environment that runs lrtui")
    return Path(spec.submodule_search_locations[0]) / "optim"


def _classes(files: list[Path]) -> dict[str, ast.ClassDef]:
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    return {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}


def _descends(node: ast.ClassDef, root: str, classes: dict[str, ast.ClassDef]) -> bool:
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
    return root in bases or any(base in classes and _descends(classes[base], root, classes) for base in bases)


def _options(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> dict[str, Option]:
    init = next((item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"), None)
    if init is None:
        bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in classes]
        return _options(classes[bases[0]], classes) if bases else {}
    positional = init.args.posonlyargs + init.args.args
    defaults = [None] * (len(positional) - len(init.args.defaults)) + list(init.args.defaults)
    pairs = [*zip(positional, defaults, strict=True), *zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True)]
    return {arg.arg: _option(arg, default is None) for arg, default in pairs if arg.arg not in _HIDDEN}


def _option(arg: ast.arg, required: bool) -> Option:
    if arg.annotation is None:
        return Option(arg.arg, required)
    names = _types(arg.annotation)
    names = names & {"Callable"} or names
    constants = [node.value for node in ast.walk(arg.annotation) if isinstance(node, ast.Constant)]
    choices = tuple(value for value in constants if isinstance(value, str)) if "Literal" in names else ()
    return Option(arg.arg, required and arg.arg not in AUTO | FROM_RATE, names, choices)


def _types(annotation: ast.expr) -> frozenset[str]:
    """The names of the types that an annotation allows; of list[float] only "list"."""
    match annotation:
        case ast.Name(id=name):
            return frozenset({name})
        case ast.BinOp(left=left, right=right):
            return _types(left) | _types(right)
        case ast.Subscript(value=ast.Name(id="Optional" | "Union"), slice=inner):
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return frozenset().union(*map(_types, parts))
        case ast.Subscript(value=outer):
            return _types(outer)
    return frozenset()


def _interval(node: ast.ClassDef) -> Interval:
    return "batch" if "after every batch" in " ".join((ast.get_docstring(node) or "").split()) else "epoch"
