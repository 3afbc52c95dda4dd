"""The running process: setup, reload, polling, rounds of figures, and fan-out to exporters."""
