"""What every firmware on TCP 4028 shares: client, framing, and report commands."""
