"""The operations on domains: their lives, changes of their configurations, and what libvirt does with them for long."""
