"""The pages of ePIC firmware (PowerPlay), over HTTP on TCP 4028."""
