"""The monthly statement: computed from history, checked, and formatted."""
