"""The race as it was asked for: a scenario file and its flags, as plain values.

    spec             Race, Lane, OptimizerSpec, ScheduleSpec: the values
    scenario_file    TOML to Race; lane_table reads its lanes, overlay lays flags over it
    script_table, script_header, placeholders
                     a script in place of a task: [script], a script's header, {NAME} in arguments
    toml_table, toml_source, expression, schedule_spec, pasted_python
                     checked tables, locations for messages, forms of a schedule
    catalogue, option_bounds
                     optimizers and schedulers of the installed torch, read from its source
    lane_syntax, scenario_text
                     lanes and races written as text again
    task_ref, user_code_files, environment
                     the user's code and the environment it needs

An invalid file is refused with file, key and the expected value. Must not run the user's code or
import torch. Begin with `spec.py`, then `scenario_file.py`.
"""
