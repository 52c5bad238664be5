"""How a report leaves the tool: one format a file."""
