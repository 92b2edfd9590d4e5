"""What exists now on one hypervisor, kept current by events, watches and rounds."""
