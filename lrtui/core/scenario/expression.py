"""Arithmetic written in a scenario, evaluated without executing code: `0.95 ** epoch`, `min(1, step
/ 100)`."""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable

_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: lambda a, b: _real(float(a) ** b),
}
_UNARY: dict[type[ast.unaryop], Callable[[float], float]] = {
    ast.UAdd: operator.pos,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
}
_COMPARE: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "min": min,
    "max": max,
    "abs": abs,
    "exp": math.exp,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "sqrt": math.sqrt,
    "pow": lambda a, b: _real(a**b),
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "tanh": math.tanh,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": lambda a, digits=0: round(a, int(digits)),
}
_BUILT_IN = {"min", "max", "abs", "round", "pow"}
_CONSTANTS = {"pi": math.pi, "e": math.e}
VARIABLES = ("step", "epoch", "total")
"""`step` and `epoch` both count the scheduler's own steps, from 0; `total` is the budget in the
same unit."""


class ExpressionError(ValueError):
    """The text is not arithmetic; the message says which part."""


def is_reference(text: str) -> bool:
    """True if `text` is a reference "file.py:name" or "module:name" instead of arithmetic."""
    target, _, name = text.rpartition(":")
    return bool(target) and name.isidentifier()


def parse(text: str) -> Callable[[dict[str, float]], float]:
    """A function of {variable: value} that computes `text`.

    Raises ExpressionError for anything but numbers, VARIABLES, arithmetic, comparisons, `a if b
    else c`, pi, e and min, max, abs, exp, log, log2, log10, sqrt, pow, sin, cos, tan, tanh, floor,
    ceil, round. The function may raise ArithmeticError, ValueError or TypeError (a wrong number of
    arguments). It computes in floats: nothing takes long.
    """
    if len(text) > 500:
        raise ExpressionError("an expression has at most 500 characters")
    try:
        # "9if" is worth a refusal or nothing, but no line on the screen
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError("not an expression") from error
    _check(tree)
    return lambda values: float(_value(tree, values))


def from_lambda(node: ast.Lambda) -> str:
    """The expression that computes what a Python lambda of one number does; ExpressionError where
    none is sure to.

    Functions are those of `math` and the built-in ones; another module's may round otherwise. `and`
    and `or` give one of their operands in Python and a truth value here, so they are taken only
    where a truth value is asked for.
    """
    given = node.args
    if len(given.args) != 1 or given.vararg or given.kwarg or given.kwonlyargs or given.posonlyargs:
        raise ExpressionError("it has other parameters than the step")
    name = given.args[0].arg
    body = _Renamed(name, name if name in VARIABLES[:2] else "epoch").visit(node.body)
    text = ast.unparse(ast.fix_missing_locations(body))
    parse(text)
    return text


class _Renamed(ast.NodeTransformer):
    """Convert the body of a lambda into an expression; ExpressionError if that is impossible."""

    def __init__(self, parameter: str, variable: str) -> None:
        self._parameter, self._variable = parameter, variable

    def visit_Name(self, node: ast.Name) -> ast.expr:  # ast's own name
        if node.id == self._parameter:
            return ast.Name(self._variable)
        if node.id in _BUILT_IN:
            return node
        raise ExpressionError(f"{node.id} is not known here")

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        known = node.attr in _CONSTANTS or (node.attr in _FUNCTIONS and node.attr not in _BUILT_IN)
        if isinstance(node.value, ast.Name) and node.value.id == "math" and known:
            return ast.Name(node.attr)
        raise ExpressionError(f"{ast.unparse(node)} is not known here")

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        test = node.test
        if isinstance(test, ast.BoolOp):
            test = ast.BoolOp(test.op, [self.visit(part) for part in test.values])
        else:
            test = self.visit(test)
        return ast.IfExp(test, self.visit(node.body), self.visit(node.orelse))

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        raise ExpressionError(f"{ast.unparse(node)} is not a number")


def _check(node: ast.expr) -> None:
    for part in ast.walk(node):
        match part:
            case (
                ast.Constant(value=bool() | int() | float())
                | ast.expr_context()
                | ast.IfExp()
                | ast.BoolOp()
                | ast.boolop()
            ):
                pass
            case ast.BinOp(op=op) if type(op) in _BINARY:
                pass
            case ast.UnaryOp(op=op) if type(op) in _UNARY:
                pass
            case ast.Compare(ops=ops) if all(type(op) in _COMPARE for op in ops):
                pass
            case ast.Call(func=ast.Name(id=name), keywords=[]) if name in _FUNCTIONS:
                pass
            case ast.Name(id=name) if name in VARIABLES or name in _CONSTANTS or name in _FUNCTIONS:
                pass
            case ast.operator() | ast.unaryop() | ast.cmpop():
                pass
            case _:
                raise ExpressionError(
                    f"{ast.unparse(part)!r} is not arithmetic on {', '.join(VARIABLES)}"
                )


def _value(node: ast.expr, values: dict[str, float]) -> float:
    match node:
        case ast.Constant(value=number):
            return float(number)  # type: ignore[arg-type]  # floats throughout: 9 ** 9 ** 9 overflows at once
        case ast.Name(id=name):
            found = values.get(name, _CONSTANTS.get(name))
            if found is None:
                raise ValueError(f"{name} has no value")
            return found
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](_value(left, values), _value(right, values))
        case ast.UnaryOp(op=op1, operand=operand):
            return _UNARY[type(op1)](_value(operand, values))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _value(body if _value(test, values) else orelse, values)
        case ast.BoolOp(op=bool_op, values=parts):
            results = (bool(_value(part, values)) for part in parts)
            return all(results) if isinstance(bool_op, ast.And) else any(results)
        case ast.Call(func=ast.Name(id=name), args=args):
            return _FUNCTIONS[name](*(_value(arg, values) for arg in args))
        case ast.Compare(left=left, ops=ops, comparators=rights):
            numbers = [_value(left, values), *(_value(right, values) for right in rights)]
            return all(
                _COMPARE[type(op)](a, b)
                for op, a, b in zip(ops, numbers, numbers[1:], strict=False)
            )
    raise ExpressionError(f"{ast.unparse(node)!r} is not arithmetic")


def _real(value: float | complex) -> float:
    if isinstance(value, complex):
        raise ValueError("a root of a negative number")
    return value
