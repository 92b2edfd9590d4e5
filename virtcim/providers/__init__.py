"""The CIM side: turns inventory objects into property values and method calls into calls of libhelper."""
