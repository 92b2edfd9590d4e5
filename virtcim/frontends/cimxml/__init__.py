"""CIM-XML (DSP0201 2.4, DSP0203 2.4): reading requests and writing answers."""
