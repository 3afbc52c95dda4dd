"""Simulated Antminers on real sockets: the agent's test bench, sharing no code with the agent."""
