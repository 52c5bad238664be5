"""The open benchmark: how often the tool, and its peers, are right on models whose truth is known."""
