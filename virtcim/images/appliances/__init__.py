"""Appliances in the Open Virtualization Format (DSP0243 1.1 and 2.1): read, made into guests, and written.

`package` opens an archive or a directory, `descriptor` reads what its XML says into the values of `description`,
`machine` settles what one system is in one configuration, and `translation` makes the domain of it.
"""
