"""From records to tables: accuracies, paired effects, what can be reused."""
