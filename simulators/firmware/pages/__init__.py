"""Stock web pages with digest authentication."""
