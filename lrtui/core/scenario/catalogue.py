"""Which optimizers and schedules there are and what options they take, read from torch's source
without importing it.

Importing torch costs a second and more; listing scenarios and refusing a bad one must not. So
classes, options and defaults are found by parsing the files of the torch that is installed;
`tests/training` holds the result equal to what the imported torch says.
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
from lrtui.core.scenario.class_source import parameters
from lrtui.core.scenario.option_bounds import Bounds, bounds
from lrtui.core.scenario.spec import Interval

COMPOSITE = {"SequentialLR", "ChainedScheduler"}
"""Schedules made of other schedules, given as a list under `schedulers`."""

WANTS_METRIC = {"ReduceLROnPlateau", "greedy"}
"""Schedules that look at an epoch's loss: stepped by the epoch, and never part of another one."""

EXPRESSIONS = {"lr_lambda"}
"""Options that torch wants as functions: here an arithmetic expression (see
core/scenario/expression.py), or the place of one."""

AUTO = {"T_max", "total_steps", "total_iters", "num_training_steps"}
"""Options that may be "auto": the length of the budget, counted in the schedule's interval."""

FROM_RATE = {"max_lr"}
"""Options that default to the lane's own rate."""

ALIASES = {
    "reduce_lr_on_plateau": "ReduceLROnPlateau",
    "GreedyLR": "greedy",
    "get_reduce_on_plateau_schedule": "ReduceLROnPlateau",
    "get_greedy_schedule": "greedy",
    "get_linear_schedule_with_warmup": "linear",
    "get_cosine_schedule_with_warmup": "cosine",
    "get_cosine_with_hard_restarts_schedule_with_warmup": "cosine_with_restarts",
    "get_polynomial_decay_schedule_with_warmup": "polynomial",
    "get_constant_schedule": "constant",
    "get_constant_schedule_with_warmup": "constant_with_warmup",
    "get_inverse_sqrt_schedule": "inverse_sqrt",
    "get_cosine_with_min_lr_schedule_with_warmup": "cosine_with_min_lr",
    "get_cosine_with_min_lr_schedule_with_warmup_lr_rate": "cosine_warmup_with_min_lr",
    "get_wsd_schedule": "warmup_stable_decay",
}
"""Other names under which transformers knows the same schedules."""

_HIDDEN = {
    "self",
    "params",
    "optimizer",
    "lr",
    "last_epoch",
    "schedulers",
    "scale_fn",
    "differentiable",
}
PER_GROUP = {"base_lr", "max_lr", "min_lr", "swa_lr", "base_momentum", "max_momentum"}
"""Options that may be a list with a number for each param group; torch takes it also where the
annotation has one number."""


class Option(msgspec.Struct, frozen=True):
    """One option of an optimizer or a schedule."""

    name: str
    required: bool = False
    types: frozenset[str] = frozenset()
    """Names in its annotation ("float", "tuple", ...); empty: any of them."""
    choices: tuple[str, ...] = ()
    """The allowed strings, if the list is closed."""
    bounds: Bounds = Bounds()
    """The numbers that it may be."""

    def expected(self, value: Any) -> str:
        """Return a description of the valid values if `value` is invalid; '' if it is valid."""
        if self.name in AUTO and value == "auto":
            return ""
        if self.choices:
            return "" if value in self.choices else "one of " + ", ".join(self.choices)
        accepted = [kind for name, kind in _KINDS.items() if name in self.types] or list(
            _KINDS.values()
        )
        fit = any(fits(value) for _, fits in accepted)
        if fit and self.bounds.holds(value) and not (value == [] and self.name in PER_GROUP):
            return ""
        limits = f", {self.bounds}" if self.bounds != Bounds() else ""
        ways = ('; "auto" is the budget' if self.name in AUTO else "") + _INSTEAD.get(self.name, "")
        return " or ".join(dict.fromkeys(words for words, _ in accepted)) + limits + ways


ADAMW_LR = Option("adamw_lr", types=frozenset({"float"}), bounds=Bounds(0, above=True))
"""Ours: the rate of the parameters that Muon does not train, which are no matrices."""
_INSTEAD = {"warmup_steps": "; a share of the budget is warmup_ratio"}
"""Hints to other options that may be meant."""


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_number(value: Any) -> bool:
    """True for a number that can be stored: JSON has neither NaN nor infinity."""
    return _is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_number, value))


def _is_whole_list(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_whole, value))


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "int": ("a whole number", _is_whole),
    "float": ("a finite number", _is_number),
    "bool": ("true or false", lambda v: isinstance(v, bool)),
    "str": ("a string", lambda v: isinstance(v, str)),
    "list[int]": ("a list of whole numbers", _is_whole_list),
    "list": ("a list of numbers", _is_list),
    "tuple": ("a list of numbers", _is_list),
    "Iterable": ("a list of numbers", _is_list),
    "Callable": ('an expression such as "0.95 ** epoch"', lambda v: isinstance(v, str)),
}


class Signature(msgspec.Struct, frozen=True):
    """A class that a lane may name, and its options."""

    name: str
    options: dict[str, Option]
    interval: Interval = "epoch"
    """Default interval between two steps of a schedule, as its documentation asks for."""
    order: tuple[str, ...] = ()
    """The parameters in the order of positional arguments, without self, the parameters to train
    and the optimizer."""
    aliases: dict[str, str] = {}
    """Other names of options."""


def _own(name: str, options: str, interval: Interval = "batch", order: str = "") -> Signature:
    """A schedule of ours: `options` as "name:type name:type", a `!` after a required one, choices
    as "name:a|b".

    `order`: its positional arguments in transformers, where the schedule comes from there.
    """
    pairs = [(word, *word.rstrip("!").split(":")) for word in options.split()]
    table = {
        key: Option(
            key,
            word.endswith("!"),
            frozenset() if "|" in kind else frozenset(kind.split("/")),
            tuple(kind.split("|")) if "|" in kind else (),
            bounds(name, key),
        )
        for word, key, kind in pairs
    }
    aliases = {"num_warmup_steps": "warmup_steps"} if "warmup_steps" in table else {}
    return Signature(name, table, interval, tuple(order.split()), aliases)


_WARM = "warmup_steps:int warmup_ratio:float "
_WARMED = _WARM + "num_training_steps:int "
_STEPS = "num_warmup_steps num_training_steps "
_LEAST = "num_cycles:float min_lr:float min_lr_rate:float "
_PHASES = "linear|cosine|1-sqrt "
_OWN = [
    _own("inverse-time", "decay:float!"),
    _own("range-test", "to:float!"),
    _own("linear", _WARMED, order=_STEPS + "last_epoch"),
    _own("cosine", _WARMED + "num_cycles:float", order=_STEPS + "num_cycles last_epoch"),
    _own(
        "cosine_with_restarts", _WARMED + "num_cycles:float", order=_STEPS + "num_cycles last_epoch"
    ),
    _own(
        "polynomial", _WARMED + "lr_end:float power:float", order=_STEPS + "lr_end power last_epoch"
    ),
    _own("constant", "", order="last_epoch"),
    _own("constant_with_warmup", _WARM, order="num_warmup_steps last_epoch"),
    _own("inverse_sqrt", _WARM + "timescale:int", order="num_warmup_steps timescale last_epoch"),
    _own(
        "cosine_with_min_lr",
        _WARMED + _LEAST,
        order=_STEPS + "num_cycles last_epoch min_lr min_lr_rate",
    ),
    _own(
        "cosine_warmup_with_min_lr",
        _WARMED + _LEAST + "warmup_lr_rate:float",
        order=_STEPS + "num_cycles last_epoch min_lr min_lr_rate warmup_lr_rate",
    ),
    _own(
        "warmup_stable_decay",
        _WARMED + f"num_decay_steps:int num_stable_steps:int warmup_type:{_PHASES} "
        f"decay_type:{_PHASES} min_lr_ratio:float num_cycles:float",
        order=(
            "num_warmup_steps num_decay_steps num_training_steps num_stable_steps warmup_type"
            " decay_type min_lr_ratio num_cycles last_epoch"
        ),
    ),
    _own(
        "greedy",
        "mode:min|max factor:float patience:int threshold:float threshold_mode:rel|abs cooldown:int"
        " warmup:int min_lr:float/list max_lr:float/list eps:float verbose:bool smooth:bool"
        " window_size:int reset_start:int",
        "epoch",
        "mode factor patience threshold threshold_mode cooldown warmup min_lr max_lr eps verbose"
        " smooth window_size reset_start",
    ),
]
"""inverse-time is lr0 / (1 + decay * t); range-test rises from the lane's rate to `to`, by the same
factor at each step; the others are the Hugging Face names with the formulas of its
`optimization.py`. All but greedy are functions of the step."""


@cache
def optimizers() -> dict[str, Signature]:
    """Every optimizer of the installed torch, by name."""
    classes = _classes(
        [path for path in sorted(_torch_optim().glob("*.py")) if path.stem not in _NOT_OPTIMIZERS]
    )
    found = {
        name: Signature(name, _options(node, classes), order=_order(node, classes))
        for name, node in sorted(classes.items())
        if not name.startswith("_") and _descends(node, "Optimizer", classes)
    }
    if "Muon" in found:
        found["Muon"].options[ADAMW_LR.name] = ADAMW_LR
    return found


@cache
def schedules() -> dict[str, Signature]:
    """Every scheduler of the installed torch by name, then ours."""
    classes = _classes([_torch_optim() / "lr_scheduler.py", _torch_optim() / "swa_utils.py"])
    found = {
        name: Signature(name, _options(node, classes, name), _interval(node), _order(node, classes))
        for name, node in sorted(classes.items())
        if not name.startswith("_") and _descends(node, "LRScheduler", classes)
    }
    return found | {own.name: own for own in _OWN}


_NOT_OPTIMIZERS = {
    "__init__",
    "lr_scheduler",
    "swa_utils",
    "optimizer",
    "_functional",
    "_stateless",
}


def _torch_optim() -> Path:
    spec = importlib.util.find_spec("torch")  # a top-level name: looked up, not imported
    if spec is None or not spec.submodule_search_locations:
        raise LrtuiError(
            "torch is not installed", "install PyTorch in the environment that runs lrtui"
        )
    return Path(spec.submodule_search_locations[0]) / "optim"


def _classes(files: list[Path]) -> dict[str, ast.ClassDef]:
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    return {
        node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)
    }


def _descends(node: ast.ClassDef, root: str, classes: dict[str, ast.ClassDef]) -> bool:
    bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
    return root in bases or any(
        base in classes and _descends(classes[base], root, classes) for base in bases
    )


def _options(
    node: ast.ClassDef, classes: dict[str, ast.ClassDef], schedule: str = ""
) -> dict[str, Option]:
    return {
        arg.arg: _option(arg, default, schedule)
        for arg, default in _arguments(node, classes)
        if arg.arg not in _HIDDEN
    }


def _order(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> tuple[str, ...]:
    names = (arg.arg for arg, _ in _arguments(node, classes))
    return tuple(name for name in names if name not in ("self", "params", "optimizer"))


def _arguments(
    node: ast.ClassDef, classes: dict[str, ast.ClassDef]
) -> list[tuple[ast.arg, ast.expr | None]]:
    """The parameters of a class's own or inherited __init__ with their defaults (None: required),
    those by name last."""
    init = next(
        (
            item
            for item in node.body
            if isinstance(item, ast.FunctionDef) and item.name == "__init__"
        ),
        None,
    )
    if init is None:
        bases = [
            base.id for base in node.bases if isinstance(base, ast.Name) and base.id in classes
        ]
        return _arguments(classes[bases[0]], classes) if bases else []
    return parameters(init)


def _option(arg: ast.arg, default: ast.expr | None, schedule: str) -> Option:
    limits = bounds(schedule, arg.arg) if schedule else Bounds()
    if arg.annotation is None:
        usual = default.value if isinstance(default, ast.Constant) else None
        kinds = frozenset() if usual is None else frozenset({type(usual).__name__})
        return Option(arg.arg, default is None, kinds, bounds=limits)
    names = _types(arg.annotation)
    names = names & {"Callable"} or names
    if schedule and arg.arg in PER_GROUP:
        names |= {"list"}
    constants = [node.value for node in ast.walk(arg.annotation) if isinstance(node, ast.Constant)]
    choices = (
        tuple(value for value in constants if isinstance(value, str)) if "Literal" in names else ()
    )
    return Option(
        arg.arg, default is None and arg.arg not in AUTO | FROM_RATE, names, choices, limits
    )


def _types(annotation: ast.expr) -> frozenset[str]:
    """The names of the types that an annotation allows; of list[float] only "list", but "list[int]"
    for lists of int."""
    match annotation:
        case ast.Constant(value=None):
            return frozenset({"None"})
        case ast.Subscript(
            value=ast.Name(id="list" | "Iterable" | "Sequence"), slice=ast.Name(id="int")
        ):
            return frozenset({"list[int]"})
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
    return (
        "batch"
        if "after every batch" in " ".join((ast.get_docstring(node) or "").split())
        else "epoch"
    )
