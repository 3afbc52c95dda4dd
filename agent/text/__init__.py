"""Numbers and wording that the page, JSON, and the command line share."""
