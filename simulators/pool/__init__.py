"""A stand-in for pools: it credits the work that simulated units send, and answers as pools' documents say."""
