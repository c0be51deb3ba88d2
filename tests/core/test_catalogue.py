"""What is read from torch's source is what the imported torch says."""

import inspect

import msgspec
import pytest
import torch
from torch.optim import lr_scheduler, swa_utils

from lrtui.core.scenario import catalogue
from lrtui.core.scenario.catalogue import Option

HIDDEN = {
    "self",
    "params",
    "optimizer",
    "lr",
    "last_epoch",
    "schedulers",
    "scale_fn",
    "differentiable",
}
OURS = {own.name for own in catalogue._OWN}


def subclasses(module, root):
    return {
        name: kind
        for name, kind in vars(module).items()
        if inspect.isclass(kind)
        and issubclass(kind, root)
        and kind is not root
        and not name.startswith("_")
    }


def test_the_optimizers_are_torchs():
    assert subclasses(torch.optim, torch.optim.Optimizer).keys() == catalogue.optimizers().keys()


def test_only_muon_has_a_second_rate():
    with_it = [n for n, one in catalogue.optimizers().items() if "adamw_lr" in one.options]
    assert with_it == ["Muon"]


def test_the_schedules_are_torchs_and_ours():
    found = subclasses(lr_scheduler, lr_scheduler.LRScheduler) | subclasses(
        swa_utils, lr_scheduler.LRScheduler
    )
    assert found.keys() | OURS == catalogue.schedules().keys()
    assert {"ReduceLROnPlateau", "SWALR"} <= catalogue.schedules().keys()


def test_every_other_name_of_a_schedule_leads_to_one():
    assert set(catalogue.ALIASES.values()) <= catalogue.schedules().keys()
    assert not catalogue.ALIASES.keys() & catalogue.schedules().keys()


TORCHS = [
    (
        name,
        getattr(torch.optim, name),
        msgspec.structs.replace(
            signature,
            options={key: each for key, each in signature.options.items() if key != "adamw_lr"},
        ),
    )
    for name, signature in catalogue.optimizers().items()
]
TORCHS += [
    (name, getattr(swa_utils if name == "SWALR" else lr_scheduler, name), signature)
    for name, signature in catalogue.schedules().items()
    if name not in OURS
]


@pytest.mark.parametrize(("name", "kind", "signature"), TORCHS, ids=[name for name, *_ in TORCHS])
def test_options_are_those_of_the_signature_but_for_the_hidden_ones(name, kind, signature):
    parameters = {
        key: parameter
        for key, parameter in inspect.signature(kind.__init__).parameters.items()
        if key not in HIDDEN
    }
    assert signature.options.keys() == parameters.keys()
    required = {
        key for key, parameter in parameters.items() if parameter.default is inspect.Parameter.empty
    }
    assert {
        key for key, option in signature.options.items() if option.required
    } == required - catalogue.AUTO - catalogue.FROM_RATE


@pytest.mark.parametrize(("name", "kind", "signature"), TORCHS, ids=[name for name, *_ in TORCHS])
def test_positional_arguments_are_in_torchs_order(name, kind, signature):
    parameters = [
        key
        for key in inspect.signature(kind.__init__).parameters
        if key not in ("self", "params", "optimizer")
    ]
    assert list(signature.order) == parameters


@pytest.mark.parametrize(("name", "kind", "signature"), TORCHS, ids=[name for name, *_ in TORCHS])
def test_torchs_own_default_of_each_option_is_accepted(name, kind, signature):
    """A default that we would refuse is an annotation that we misread."""
    for key, option in signature.options.items():
        default = inspect.signature(kind.__init__).parameters[key].default
        if default is not None and default is not inspect.Parameter.empty:
            plain = (
                [0.1 if value is None else value for value in default]
                if isinstance(default, tuple)
                else default
            )
            assert option.expected(plain) == "", key


@pytest.mark.parametrize(("name", "kind", "signature"), TORCHS, ids=[name for name, *_ in TORCHS])
def test_a_table_is_no_option_of_anything(name, kind, signature):
    for option in signature.options.values():
        assert option.expected({"a": 1})


def test_schedules_stepped_per_batch_match_the_torch_documentation():
    by_batch = {
        name for name, signature in catalogue.schedules().items() if signature.interval == "batch"
    }
    assert by_batch == {"CyclicLR", "OneCycleLR"} | OURS - {"greedy"}


@pytest.mark.parametrize(
    ("types", "value", "expected"),
    [
        ({"int"}, 3, ""),
        ({"int"}, 3.0, "a whole number"),
        ({"int"}, True, "a whole number"),
        ({"int"}, 2**63, "a whole number"),
        ({"float"}, 3, ""),
        ({"float"}, 0.5, ""),
        ({"float"}, float("nan"), "a finite number"),
        ({"float"}, "x", "a finite number"),
        ({"bool"}, True, ""),
        ({"bool"}, 1, "true or false"),
        ({"str"}, "x", ""),
        ({"str"}, 1, "a string"),
        ({"tuple"}, [0.9, 1], ""),
        ({"tuple"}, [0.9, "x"], "a list of numbers"),
        ({"tuple"}, 0.9, "a list of numbers"),
        ({"float", "list"}, [1.0], ""),
        ({"float", "list"}, "x", "a finite number or a list of numbers"),
        (set(), "x", ""),
        (set(), [1], ""),
        (
            set(),
            {"a": 1},
            (
                "a whole number or a finite number or true or false or a string or a list of whole"
                ' numbers or a list of numbers or an expression such as "0.95 ** epoch"'
            ),
        ),
    ],
)
def test_an_option_says_what_it_wants(types, value, expected):
    assert Option("x", types=frozenset(types)).expected(value) == expected


def test_auto_is_for_those_that_know_it():
    assert Option("T_max", types=frozenset({"int"})).expected("auto") == ""
    assert (
        Option("T_max", types=frozenset({"int"})).expected("atuo")
        == 'a whole number; "auto" is the budget'
    )
    assert Option("step_size", types=frozenset({"int"})).expected("auto") == "a whole number"
