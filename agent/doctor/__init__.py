"""Looks at a machine, its network and its neighbours for what keeps a site from being watched well."""
