"""Trial workspaces: a place of one's own to try the product in, for a while."""
