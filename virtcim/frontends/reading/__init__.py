"""From the values of a request as they were sent to values by the class declarations, for every front end alike."""
