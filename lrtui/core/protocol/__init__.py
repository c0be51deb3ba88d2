"""Messages between processes, and the types they carry.

    events           of lanes: columns of steps, samples, alerts, ends
    commands         to lanes and to the supervisor
    script_refusals  those that a race of scripts refuses
    findings         results of the diagnostic rules
    launch_protocol  lines between a launcher and a supervisor
    event_text       log lines of events
    thresholds       every threshold of the verdicts, with its origin

Every type is a frozen msgspec Struct. Names and tags are stored in runs: renamed ones keep their
old spelling by `tag=` and `field(name=)`. Must not know a store or a state. Begin with
`events.py`.
"""
