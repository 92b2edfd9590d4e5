"""CIM as JSON over HTTP, sessions and events for browsers, and the console's files."""
