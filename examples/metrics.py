#!/usr/bin/env python3
"""What is counted of a guest, in which unit, and was it counted already?  Loads need two samples, and are left out.

$ examples/metrics.py web
CPUSystemTime in second * 10^-9: counted
CPUTime in second * 10^-9: counted
CPUUserTime in second * 10^-9: counted
"""

from connecting import connect, find_guest, read_words

(name,) = read_words("GUEST")
connection = connect()
guest = find_guest(connection, name)
definitions = connection.Associators(guest.path, AssocClass="CIM_MetricDefForME")
values = connection.Associators(guest.path, AssocClass="CIM_MetricForME")
last = {each["MetricDefinitionId"]: each["MetricValue"] for each in values}
for each in sorted(definitions, key=lambda each: each["Id"]):
    if not each["Id"].endswith("Load"):
        counted = "counted" if int(last[each["Id"]]) > 0 else "nothing yet"
        print(f"{each['Id'].partition(':')[2]} in {each['ProgrammaticUnits']}: {counted}")
