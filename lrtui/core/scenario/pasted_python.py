"""Optimizers and schedules as they stand in Python scripts, such as
"torch.optim.lr_scheduler.StepLR(optimizer, 10)", as the tables of a scenario. Only literals,
arithmetic on them and nested calls are understood; nothing is run."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator
from typing import Any

from lrtui.core.scenario import catalogue
from lrtui.core.scenario.catalogue import AUTO, EXPRESSIONS, Signature
from lrtui.core.scenario.expression import ExpressionError, from_lambda
from lrtui.core.scenario.toml_table import Table
from lrtui.core.text import one_line

LONGEST = 5000
"""Longest pasted call, in characters."""
_KNOWN_MODULES = {
    "torch",
    "th",
    "optim",
    "lr_scheduler",
    "swa_utils",
    "transformers",
    "optimization",
    "schedules",
}
"""Modules of torch and transformers that hold the catalogue's names; a name of another module is
the user's class."""
_GET_SCHEDULER = (
    "name",
    "optimizer",
    "num_warmup_steps",
    "num_training_steps",
    "scheduler_specific_kwargs",
)
_NO_EFFECT = {"verbose", "differentiable"}
"""Arguments of some versions of torch that change no rate."""
_WORDS = {"true": True, "false": False, "none": None}
"""Literals as TOML and JSON write them."""
_AS_TEXT = 'lr_lambda = "0.95 ** epoch", arithmetic on step, epoch and total, or "file.py:function"'
"""Replacement to suggest for a function that cannot be pasted."""
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: lambda a, b: operator.pow(float(a), b),
}


class _Unclear(ValueError):
    """A part of the call that is not understood: `problem` and `expected`, and the argument where
    there is one."""

    def __init__(self, problem: str, expected: str, key: str = "") -> None:
        super().__init__(problem)
        self.problem, self.expected, self.key = problem, expected, key


def schedule_table(text: str, parent: Table, key: str) -> dict[str, Any]:
    """Parse the schedule under `key`, a call or a bare, dotted or referring name, into a table."""
    example = 'a call such as "StepLR(step_size=10, gamma=0.1)"'
    return _refusing(
        lambda: _table(text, catalogue.schedules(), catalogue.ALIASES, example), parent, key
    )


def optimizer_table(text: str, parent: Table, key: str) -> dict[str, Any]:
    """Parse the optimizer under `key`, a call or a bare or dotted name, into a table; refuse a rate
    inside it."""
    table = _refusing(
        lambda: _table(text, catalogue.optimizers(), {}, 'a call such as "SGD(momentum=0.9)"'),
        parent,
        key,
    )
    if "lr" in table:
        raise parent.error(
            key,
            f"the rate stands inside {one_line(str(table['name']))}",
            f"lr = {table['lr']} beside {key}",
        )
    return table


def plain_name(text: str) -> str:
    """The name in a pasted call or a dotted name, without the modules of torch; not checked."""
    head = text.partition("(")[0].strip()
    if ":" in head:  # a reference, such as optim.py:Name
        return head
    modules, _, name = head.rpartition(".")
    return name if modules and set(modules.split(".")) <= _KNOWN_MODULES else head


def _refusing(read: Callable[[], dict[str, Any]], parent: Table, key: str) -> dict[str, Any]:
    try:
        return read()
    except _Unclear as unclear:
        where = f"{key}.{unclear.key}" if unclear.key else key
        raise parent.error(where, one_line(unclear.problem), unclear.expected) from unclear


def _table(
    text: str, known: dict[str, Signature], aliases: dict[str, str], example: str
) -> dict[str, Any]:
    head, opened, rest = text.partition("(")
    if not opened and (":" in text or "=" not in text):
        return {"name": text if ":" in text else _name(text.strip())}
    unclear = _Unclear(f'"{one_line(text)[:60]}" is not a valid call', example)
    name = head.rpartition("=")[2].strip()  # "scheduler = StepLR(...)" is a line of a script
    try:
        call = (
            ast.parse(f"called({rest.strip()}", mode="eval").body if len(text) <= LONGEST else None
        )
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or not opened:
            raise unclear
        return (
            {"name": name, **_by_name(call, name)}
            if ":" in name
            else _called(_name(name), call, known, aliases)
        )
    except _Unclear:
        raise
    except (
        SyntaxError,
        ValueError,
        RecursionError,
        MemoryError,
        TypeError,
        OverflowError,
    ) as error:
        raise unclear from error


def _called(
    name: str, call: ast.Call, known: dict[str, Signature], aliases: dict[str, str]
) -> dict[str, Any]:
    """Parse one call into a table; the class or function `name` is looked up in `known`."""
    given = list(call.args)
    if name.rpartition(".")[2] == "partial" and given:  # functools.partial(StepLR, step_size=10)
        name = _name(ast.unparse(given.pop(0)))
    if name == "get_scheduler":
        return _by_get_scheduler(call, known)
    signature = _signature(name, known, aliases)
    if signature is None:
        return {"name": name}  # whoever reads the table says what is known
    if given and _is_variable(given[0]):
        given = given[1:]  # the optimizer, or an optimizer's parameters: they are the lane's
    arguments = dict(_bound(name, given, call.keywords, signature.order))
    return {"name": signature.name, **_options(arguments, signature)}


def _by_get_scheduler(call: ast.Call, known: dict[str, Signature]) -> dict[str, Any]:
    """Parse transformers' get_scheduler("cosine", optimizer, ...); keep the arguments that the
    schedule takes."""
    arguments = dict(_bound("get_scheduler", call.args, call.keywords, _GET_SCHEDULER))
    named = arguments.pop("name", None)
    name = named.value if isinstance(named, ast.Constant) else ""
    signature = _signature(name, known, catalogue.ALIASES) if isinstance(name, str) else None
    if signature is None:
        example = 'such as get_scheduler("cosine", optimizer, 100, 1000)'
        if named is None:
            raise _Unclear("get_scheduler without the name of a schedule", example)
        shown = one_line(ast.unparse(named))[:60]
        # of transformers' SchedulerType: its values are the names
        member = shown.removesuffix(".value").rpartition(".")[2]
        meant = None if isinstance(named, ast.Constant) else _signature(member, known, {})
        raise _Unclear(
            f"{shown} is not the name of a schedule in quotes",
            f'"{meant.name}"' if meant else example,
        )
    more = arguments.pop("scheduler_specific_kwargs", None)
    steps = {key: value for key, value in arguments.items() if key in signature.order}
    if isinstance(more, ast.Dict):
        steps |= {
            key.value: value
            for key, value in zip(more.keys, more.values, strict=True)
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        }
    return {"name": signature.name, **_options(steps, signature)}


def _signature(name: str, known: dict[str, Signature], aliases: dict[str, str]) -> Signature | None:
    name = aliases.get(name, name)
    return next(
        (signature for key, signature in known.items() if key.lower() == name.lower()), None
    )


def _bound(
    name: str, given: list[ast.expr], keywords: list[ast.keyword], order: tuple[str, ...]
) -> Iterator[tuple[str, ast.expr]]:
    """The arguments by the names of the parameters, as Python binds them."""
    if len(given) > len(order):
        raise _Unclear(
            f"{name} has {len(given)} arguments without a name",
            f"at most {len(order)}: {', '.join(order)}",
        )
    with_source = dict(zip(order, given, strict=False))
    for keyword in keywords:
        if keyword.arg is None:
            raise _Unclear(
                f'"**{ast.unparse(keyword.value)}" cannot be looked into',
                "each option by name, name=value",
            )
        if keyword.arg in with_source:
            raise _Unclear("given twice, once by its place", f"{keyword.arg} once", keyword.arg)
        with_source[keyword.arg] = keyword.value
    yield from with_source.items()


def _options(arguments: dict[str, ast.expr], signature: Signature) -> dict[str, Any]:
    """The values of the arguments, without those that are the lane's affair, change nothing or say
    None where torch does."""
    options: dict[str, Any] = {}
    for key, node in arguments.items():
        if key in ("optimizer", "params") or (key in _NO_EFFECT and key not in signature.options):
            continue
        value = _value(node, key)
        option = signature.options.get(signature.aliases.get(key, key))
        if value is None and (option is None or "None" in option.types or not option.required):
            continue
        if key == "last_epoch" and value == -1:
            continue
        options[key] = value
    return options


def _by_name(call: ast.Call, reference: str) -> dict[str, Any]:
    """Read the arguments of a user-defined class, whose parameters are not known here."""
    given = call.args[1:] if call.args and _is_variable(call.args[0]) else call.args
    if given:
        raise _Unclear(
            f"{reference} has arguments without a name", "each option by name, name=value"
        )
    arguments = dict(_bound(reference, [], call.keywords, ()))
    return {key: _value(node, key) for key, node in arguments.items() if key != "optimizer"}


def _value(node: ast.expr, key: str) -> Any:
    """Evaluate an argument: a literal, arithmetic on numbers, a list, a table, or the call of a
    schedule."""
    match node:
        case ast.Constant(value=value) if value is None or isinstance(
            value, (bool, int, float, str)
        ):
            return value
        case ast.Name(id=word) if word in _WORDS:
            return _WORDS[word]
        case ast.List(elts=items) | ast.Tuple(elts=items):
            values = [_value(item, key) for item in items]
            return values[0] if key in EXPRESSIONS and len(values) == 1 else values
        case ast.Dict(keys=keys, values=values) if all(
            isinstance(each, ast.Constant) for each in keys
        ):
            return {
                str(ast.literal_eval(each)): _value(item, key)  # type: ignore[arg-type]  # constants, as just seen
                for each, item in zip(keys, values, strict=True)
            }
        case ast.Lambda() if key in EXPRESSIONS:
            try:
                return from_lambda(node)
            except ExpressionError as error:
                raise _Unclear(
                    f'"{ast.unparse(node)}" is not plain arithmetic: {error}', _AS_TEXT, key
                ) from error
        case ast.Call(func=func) if key == "schedulers":
            return _called(_name(ast.unparse(func)), node, catalogue.schedules(), catalogue.ALIASES)
        # inverse-time(decay=0.1) has a name that is a difference in Python
        case ast.BinOp(
            left=ast.Name(id=one), op=ast.Sub(), right=ast.Call(func=ast.Name(id=other)) as call
        ) if key == "schedulers":
            return _called(f"{one}-{other}", call, catalogue.schedules(), catalogue.ALIASES)
    number = _number(node)
    if number is not None:
        return number
    shown = one_line(ast.unparse(node))[:60]
    if key in EXPRESSIONS:
        raise _Unclear(f'"{shown}" is a function', _AS_TEXT, key)
    if isinstance(node, ast.Lambda):
        raise _Unclear(f'"{shown}" is a function', f"no {key}, or LambdaLR with {_AS_TEXT}", key)
    if key == "schedulers":
        raise _Unclear(
            f'"{shown}" is the name of a variable',
            "the schedule itself, such as LinearLR(total_iters=5)",
            key,
        )
    ways = ', or "auto": the budget' if key in AUTO else ""
    if key in ("epochs", "steps_per_epoch"):
        ways = ', or total_steps = "auto" without epochs and steps_per_epoch: the budget'
    raise _Unclear(f'"{shown}" is not a value that is known here', f"the value itself{ways}", key)


def _number(node: ast.expr) -> int | float | None:
    """The value of arithmetic on numbers, such as 1e-3 / 25 or 30 * 100; None for anything else."""
    match node:
        case ast.Constant(value=value) if isinstance(value, (int, float)) and not isinstance(
            value, bool
        ):
            return value
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            number = _number(operand)
            return number if number is None or isinstance(sign, ast.UAdd) else -number
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            one, other = _number(left), _number(right)
            if one is None or other is None:
                return None
            try:
                result = _ARITHMETIC[type(op)](one, other)
            except ArithmeticError:
                return None
            # a complex root is not a rate
            return result if isinstance(result, (int, float)) else None
    return None


def _is_variable(node: ast.expr) -> bool:
    """Test that an argument is a variable of the script, as an optimizer is, and not a literal."""
    if isinstance(node, ast.Name):
        return node.id not in _WORDS
    return isinstance(node, (ast.Attribute, ast.Subscript)) or (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr.endswith("parameters")
    )


def _name(text: str) -> str:
    """A name without the modules of torch before it; _Unclear where another module is named."""
    name = plain_name(text)
    if "." in name and "/" not in name and all(part.isidentifier() for part in name.split(".")):
        modules, _, last = name.rpartition(".")
        if last == "partial":
            return last
        raise _Unclear(
            f'"{one_line(name)}" is not of torch.optim',
            f'"{modules}:{last}" for a class of yours, or a name of torch\'s',
            "name",
        )
    return name
