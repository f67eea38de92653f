"""Pages: the report of a study, the page of a data set, and their rehearsal before anything is trained."""
