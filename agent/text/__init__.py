"""Numbers and wording shared by the page, JSON, and the command line."""
