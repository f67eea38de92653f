"""How transferable are the features of each layer of a network?

The library behind the workflow: plain functions and small classes that know nothing of Snakemake.
Data flows one way, and no module imports one of a room above or beside its own::

    report     planning     inspection
    training   figures
    data       records      results
    study
    networks   store        process
"""

import os

# Before anything imports matplotlib, which does not even start under the name of a backend that is none, as notebooks
# and shells' settings may leave it; what is drawn here goes to files.
os.environ["MPLBACKEND"] = "agg"
