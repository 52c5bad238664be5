"""Files that are nearly models: real ones with something changed, put to everything that reads files."""
