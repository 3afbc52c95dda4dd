"""Pages for people: HTML drawn on the server, useful without a script."""
