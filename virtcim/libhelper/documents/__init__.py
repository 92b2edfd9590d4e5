"""libvirt's documents: XML to objects and back, one module or folder per kind of document."""
