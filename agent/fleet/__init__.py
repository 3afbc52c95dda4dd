"""Many sites side by side: their agents asked, their latest answers added up, their pages passed through."""
