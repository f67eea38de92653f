"""Pages: the report of a study, the page of a data set, and the rehearsal of reports before anything is trained."""
