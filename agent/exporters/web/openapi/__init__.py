"""The description of every address for programs: OpenAPI 3.1, from the types of the answers."""
