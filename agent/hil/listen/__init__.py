"""The IP-report button of units, and a walk along a rack with it."""
