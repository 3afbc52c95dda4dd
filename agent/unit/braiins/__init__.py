"""Braiins OS: bosminer, bosminer+ and boser on TCP 4028."""
