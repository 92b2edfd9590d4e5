"""CIM/WBEM providers for libvirt, with a server of their own and a bridge into other CIM servers."""

__version__ = "0.1.0"
