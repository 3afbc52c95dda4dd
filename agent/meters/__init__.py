"""Power meters read over HTTP or from files."""
