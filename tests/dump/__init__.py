"""Writes down everything that a WBEM server shows, one fact a line, and compares two such dumps.

`python -m tests.dump old-corpus.txt old-host.txt old-test.txt --tree DIR --python PATH` serves three hosts with the
source tree DIR and dumps each; `python -m tests.dump --compare A B` says in which facts two dumps differ.  Only
CIM-XML over HTTP and the console script that `setup.cfg` names are asked of the tree, so that a tree can be held
against one whose modules are laid out otherwise.
"""
