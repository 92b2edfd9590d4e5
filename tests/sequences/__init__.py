"""Random sequences of what clients, virsh and accidents do to a host, and what must hold after each step."""
