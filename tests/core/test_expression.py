"""Arithmetic is computed, everything else is refused, nothing is run."""

import math

import pytest
from hypothesis import given, settings, strategies as st

from lrtui.core.scenario.expression import ExpressionError, is_reference, parse

AT = {"step": 3.0, "epoch": 3.0, "total": 10.0}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("0.95 ** epoch", 0.95**3),
        ("min(1, step / 100)", 0.03),
        ("1 - step / total", 0.7),
        ("-epoch + 1", -2.0),
        ("+2", 2.0),
        ("7 // 2 + 7 % 4", 6.0),
        ("2 ** 3 ** 2", 512.0),
        ("exp(1) - e", 0.0),
        ("log(e)", 1.0),
        ("log(8, 2)", 3.0),
        ("sqrt(9)", 3.0),
        ("cos(pi)", -1.0),
        ("sin(0)", 0.0),
        ("floor(2.7) + ceil(2.2)", 5.0),
        ("abs(-2)", 2.0),
        ("tanh(0) + tan(0)", 0.0),
        ("pow(2, 10)", 1024.0),
        ("log10(1000) + log2(8)", 6.0),
        ("round(2.567, 1)", 2.6),
        ("round(2.4)", 2.0),
        ("max(1, 2, 3)", 3.0),
        ("1 if step < 5 else 2", 1.0),
        ("1 if step > 5 else 2", 2.0),
        ("1 < step <= 3", 1.0),
        ("step == 3 and epoch != 3", 0.0),
        ("step == 4 or epoch >= 3", 1.0),
        ("not step", 0.0),
        ("True", 1.0),
        ("1e400", math.inf),
        ("(step\n+ 1)", 4.0),
        ("0 and 1 / 0", 0.0),
    ],
)
def test_arithmetic_has_its_value(text, value):
    assert parse(text)(AT) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "1 +",
        "x",
        "lr",
        "__import__('os')",
        "().__class__",
        "step.real",
        "step[0]",
        "[1, 2]",
        "(1, 2)",
        "{1: 2}",
        "'text'",
        "b'x'",
        "1j",
        "None",
        "...",
        "lambda: 1",
        "[x for x in (1,)]",
        "f'{step}'",
        "(step := 1)",
        "step = 1",
        "import os",
        "eval('1')",
        "open('x')",
        "min(*[1])",
        "pow(2, 3, 5)",
        "round(2, ndigits=1)",
        "tanh()",
        "math.exp(1)",
        "my.py:function",
        "max(1, key=abs)",
        "1 << 99",
        "1 & 1",
        "~1",
        "step is 1",
        "1 in 2",
        "abs",
        "yield",
        "await x",
        "1; 2",
        "\0",
        "1" * 501,
        "(" * 200 + ")" * 200,
        "step" + "+1" * 300,
    ],
)
def test_what_is_no_arithmetic_is_refused_or_has_no_value(text):
    with pytest.raises((ExpressionError, ValueError, TypeError)):
        parse(text)(AT)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("my.py:function", True),
        ("package.module:function", True),
        ("my folder/my.py:f", True),
        ("step", False),
        ("lambda step: 0.5 ** step", False),
        (":f", False),
        ("my.py:", False),
        ("my.py:9f", False),
    ],
)
def test_a_reference_is_told_from_arithmetic(text, is_one):
    assert is_reference(text) is is_one


@pytest.mark.parametrize(
    "text",
    [
        "9**9**9",
        "9**9**9**9**9",
        "(9**9)**(9**9)",
        "exp(9**9)",
        "floor(1e308) * floor(1e308)",
        "1 / 0",
        "0 ** -1",
        "5 % 0",
        "pow(9, pow(9, 9))",
        "pow(0, -1)",
        "round(2, 1e400)",
        "exp(1e308)",
    ],
)
def test_what_has_no_number_for_a_value_fails_at_once_in_arithmetic(text):
    compute = parse(text)
    with pytest.raises((ArithmeticError, ValueError)):
        compute(AT)


@pytest.mark.parametrize("text", ["(-8) ** 0.5", "pow(-8, 0.5)", "sqrt(-1)", "log(0)", "log(-1)"])
def test_what_has_no_real_value_says_so(text):
    with pytest.raises(ValueError, match=r"root|domain|expected|log"):
        parse(text)(AT)


def test_a_variable_without_a_value_is_told():
    with pytest.raises(ValueError, match="total has no value"):
        parse("total")({"step": 1.0})


WORDS = st.sampled_from(
    [
        "step",
        "epoch",
        "total",
        "min",
        "max",
        "exp",
        "log",
        "sqrt",
        "floor",
        "pi",
        "(",
        ")",
        ",",
        " if ",
        " else ",
        "<",
        "==",
        " and ",
        "not ",
        "**",
        "*",
        "/",
        "//",
        "%",
        "+",
        "-",
        "0",
        "1",
        "9",
        "1e308",
        "0.5",
        "[",
        "]",
        ".",
        "'",
        "\\",
        "\n",
        " ",
        "lambda:",
        "__class__",
    ]
)


@settings(max_examples=500, deadline=None)
@given(
    st.text(max_size=30)
    | st.lists(WORDS, max_size=14).map("".join)
    | st.recursive(
        st.sampled_from(["step", "9", "0", "1e308", "-1", "0.5"]),
        lambda inner: (
            st.tuples(
                inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "<", "and"]), inner
            ).map(lambda t: f"({t[0]} {t[1]} {t[2]})")
            | inner.map(lambda x: f"floor({x})")
            | inner.map(lambda x: f"exp({x})")
        ),
        max_leaves=12,
    )
)
def test_any_text_gives_a_function_or_is_refused(text):
    """A function returns a float or raises an arithmetic error."""
    try:
        compute = parse(text)
    except ExpressionError:
        return
    try:
        assert type(compute(AT)) is float
    except (ArithmeticError, ValueError, TypeError):
        pass
