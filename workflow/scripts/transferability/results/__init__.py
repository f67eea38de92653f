"""From records to tables: accuracies, paired effects, what can be reused.

`transferability.results.accuracies.by_metric` chooses once which accuracy is compared; from then on it is the column
``accuracy``. The paper's is ``top1_mean_best10``, the mean of a network's ten best evaluations: it selects on the
validation set and so is slightly too optimistic, for every network alike. ``top1_final`` does not select.

Networks that have not learned, and those that depend on a base that has not
(`transferability.results.unlearned.meaningless`), are excluded from the means, intervals and verdicts of all tables;
``left_out`` counts them. Where no other networks are left, the row remains, with its values empty.
"""
