"""From records to tables: accuracies, paired effects, what can be reused.

Which accuracy is compared is chosen once, by `transferability.results.accuracies.by_metric`, and is the column
``accuracy`` from there on. The paper's is ``top1_mean_best10``, the mean of a network's ten best evaluations: it
selects on the validation set and so is a little too good, for every network alike. ``top1_final`` does not select.

Networks that a base at chance makes meaningless (`transferability.results.unlearned.meaningless`) are in no mean,
interval or verdict of any table; ``left_out`` counts them. Where they are all that there is, the row stays and is
empty.
"""
