"""Which assumptions of docs/assumptions.md a recording of one unit confirms or refutes."""
