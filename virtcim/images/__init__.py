"""Images, templates and appliances: what guests are made from; knows nothing of CIM."""
