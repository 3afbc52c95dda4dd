"""Simulated Antminers on real sockets: the agent's test bench, sharing no code with the agent."""

# The same as `agent.__version__`, which a simulator must not import; a test compares them.
__version__ = "0.2.0"
