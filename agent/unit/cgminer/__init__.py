"""The CGMiner API on TCP 4028, common to all firmware: client, framing and report commands."""
