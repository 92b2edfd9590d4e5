#!/usr/bin/env python3
"""Pause a guest by a job and have it go on, look at the jobs that this made, and remove them.

Where the work is done within `providers.jobs.grace` seconds there is no job, and nothing to be looked at.

$ examples/jobs.py web
RequestStateChange Quiesce web: Completed, 100 %
RequestStateChange Enabled web: Completed, 100 %
"""

import pywbem
from connecting import JOB_STARTED, connect, find_guest, read_words, wait_for

(name,) = read_words("GUEST")
connection = connect()
guest = find_guest(connection, name)
for state in (9, 2):
    code, out = connection.InvokeMethod("RequestStateChange", guest.path, RequestedState=pywbem.Uint16(state))
    if code == JOB_STARTED:
        job = wait_for(connection, out["Job"])
        print(f"{job['Name']}: {job['JobStatus']}, {job['PercentComplete']} %")
        connection.DeleteInstance(job.path)
