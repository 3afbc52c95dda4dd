"""The web pages of the stock firmware, behind digest authentication."""
