"""The monthly statement: computed, checked, and shown."""
